"""The wait until services that were started are ready, for as long as that makes sense."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.governed import Governed
from schedule_zero.governor_base import ProcessStatus

__all__ = ["StartFailed", "await_ready", "await_server"]

_TICK = 0.005  # seconds between two looks

_log = logging.getLogger(__name__)


class StartFailed(ScheduleZeroError):
    """The server could not be brought up, and nothing is left of it.

    ``exit_code`` is the one that it ended with; None when it did not end by itself.
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def await_server(server: Governed[Any], deadline: float, halted: Callable[[], bool]) -> None:
    """Return when the server is ready.

    Raises StartFailed when it has ended, when ``halted()``, and at ``deadline`` (monotonic seconds).
    """
    begun = time.monotonic()
    while not server.ready:
        if halted():
            raise StartFailed("stopped while it was starting")
        if server.status is not ProcessStatus.RUNNING or server.restart_count:
            raise StartFailed(f"the server did not start: {server.last_error}", server.exit_code)
        if time.monotonic() >= deadline:
            said = server.process.last_lines() or "no output"
            raise StartFailed(f"the server has not answered within {deadline - begun:.3g} s: {said}")
        time.sleep(_TICK)


def await_ready(services: Sequence[Governed[Any]], deadline: float, halted: Callable[[], bool]) -> bool:
    """Whether all get ready; ends early when all that are not have ended, or a stop is wanted."""
    while True:
        waiting = [one for one in services if not one.ready]
        if not waiting:
            return True
        hopeless = all(one.status is not ProcessStatus.RUNNING for one in waiting)
        if hopeless or halted() or time.monotonic() >= deadline:
            for one in waiting:
                why = one.last_error or "no answer yet"
                _log.error("%s is not ready (%s): %s", one.name, one.status, why)
            return False
        time.sleep(_TICK)
