"""What is wrong with a running governor that only a new start of it would mend."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from schedule_zero.governed import Governed
from schedule_zero.governor_base import ProcessStatus

__all__ = ["trouble_of"]

_BLIND = 10.0  # seconds without a look after which the monitor counts as stuck


def trouble_of(server: Governed[Any], looked_at: float, answers: Callable[[], bool]) -> str | None:
    """The trouble in words, None while the governor does its work.

    It is: a monitor that has stopped looking (``looked_at`` is its last look, in monotonic seconds), a server that was
    given up, one that is ready and does not answer. What is being restarted is no trouble.
    """
    silent = time.monotonic() - looked_at
    if silent > _BLIND:
        return f"the monitor has not looked at anything for {silent:.0f} s"
    if server.status in (ProcessStatus.CRASHED, ProcessStatus.STOPPED):
        return f"the server is {server.status}: {server.last_error}"
    return "the server does not answer" if server.ready and not answers() else None
