"""The decision whether, and after how long, an ended process is started again."""

from __future__ import annotations

from schedule_zero.deployment import RestartSettings
from schedule_zero.exits import ExitCode
from schedule_zero.governor_base import RestartPolicy

__all__ = ["Restarts"]


class Restarts:
    """The restarts of one process: how many in a row there were, and whether there is another.

    >>> restarts = Restarts(RestartSettings(max_restarts=2, restart_delay=1.0, backoff=3.0))
    >>> [restarts.delay_after(1, uptime=0.1) for _ in range(3)]
    [1.0, 3.0, None]
    """

    def __init__(self, settings: RestartSettings) -> None:
        self.settings = settings
        self.in_a_row = 0

    def reset(self) -> None:
        """Forget the restarts so far."""
        self.in_a_row = 0

    def delay_after(self, exit_code: int, uptime: float) -> float | None:
        """Seconds until the next start of a process that ended so, after ``uptime`` s; None: never again.

        A process that says that its configuration is wrong is never restarted: it would say so again.
        """
        settings = self.settings
        if uptime >= settings.healthy_after:
            self.in_a_row = 0
        wanted = settings.policy is RestartPolicy.ALWAYS or (
            settings.policy is RestartPolicy.ON_FAILURE and exit_code != ExitCode.OK
        )
        if not wanted or exit_code == ExitCode.CONFIG or self.in_a_row >= settings.max_restarts:
            return None
        delay = min(settings.restart_delay * settings.backoff**self.in_a_row, settings.max_delay)
        self.in_a_row += 1
        return delay
