"""What a governor that was killed has left behind: processes to be ended, pid files to be removed."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from pathlib import Path

from schedule_zero.pidfile import PidFile, PidRecord, is_alive

__all__ = ["clear_leftovers"]

_TICK = 0.01  # seconds between two looks at processes that were told to end

_log = logging.getLogger(__name__)


def clear_leftovers(folder: Path, grace: float = 5.0) -> list[PidRecord]:
    """End every process that a pid file in ``folder`` still names, then remove the files; answer whom it ended.

    They get SIGTERM, and SIGKILL (to their whole group) after ``grace`` seconds. A file whose process is gone,
    whose number belongs to somebody else by now, or that is not readable, is only removed.
    """
    files = [PidFile(path) for path in sorted(folder.glob("*.pid"))]
    alive = [record for file in files if (record := file.read()) is not None and is_alive(record)]
    for record in alive:
        _log.warning("ending process %d, which an earlier governor left behind", record.pid)
        _signal(record, signal.SIGTERM)
    _await_end(alive, grace)
    for record in alive:
        _signal(record, signal.SIGKILL)
    _await_end(alive, grace)
    for file in files:
        file.remove()
    return alive


def _await_end(records: list[PidRecord], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while any(is_alive(record) for record in records) and time.monotonic() < deadline:
        time.sleep(_TICK)


def _signal(record: PidRecord, number: signal.Signals) -> None:
    if not is_alive(record):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Children lead their own groups; one that does not (a foreign file) must not take its group with it.
        if number is signal.SIGKILL and os.getpgid(record.pid) == record.pid:
            os.killpg(record.pid, number)
        else:
            os.kill(record.pid, number)
