"""The decision whether, and after how long, an ended process is started again."""

from __future__ import annotations

from schedule_zero.deployment import RestartSettings
from schedule_zero.exits import ExitCode
from schedule_zero.governor_base import RestartPolicy

__all__ = ["Restarts"]

_STEEPEST = 20


class Restarts:
    """The restarts of one process: how many in a row there were, and whether there is another.

    ``in_vain`` counts those that found the store away: they are no crashes, and never too many.

    >>> restarts = Restarts(RestartSettings(max_restarts=2, restart_delay=1.0, backoff=3.0))
    >>> [restarts.delay_after(1, uptime=0.1) for _ in range(3)]
    [1.0, 3.0, None]
    """

    def __init__(self, settings: RestartSettings) -> None:
        self.settings = settings
        self.in_a_row = 0
        self.in_vain = 0

    def reset(self) -> None:
        """Forget the restarts so far."""
        self.in_a_row = self.in_vain = 0

    def delay_after(self, exit_code: int, uptime: float) -> float | None:
        """Seconds until the next start of a process that ended so, after ``uptime`` s; None: never again.

        A process that says that its configuration is wrong is never restarted: it would say so again. One whose
        store is away is restarted however often that was, at most ``max_delay`` s later: it is well itself.
        """
        settings = self.settings
        if uptime >= settings.healthy_after:
            self.reset()
        wanted = settings.policy is RestartPolicy.ALWAYS or (
            settings.policy is RestartPolicy.ON_FAILURE and exit_code != ExitCode.OK
        )
        if not wanted or exit_code == ExitCode.CONFIG:
            return None
        if exit_code == ExitCode.STORE_AWAY:
            self.in_vain += 1
            return self._delay(self.in_vain - 1)
        self.in_vain = 0
        if self.in_a_row >= settings.max_restarts:
            return None
        self.in_a_row += 1
        return self._delay(self.in_a_row - 1)

    def _delay(self, before: int) -> float:
        # A store may be away for days: no power grows beyond a float.
        grown = self.settings.backoff ** min(before, _STEEPEST)
        return min(self.settings.restart_delay * grown, self.settings.max_delay)
