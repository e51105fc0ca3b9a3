"""Signals that come while nothing runs yet: while modules are imported, or after all has been stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from schedule_zero.exits import ExitCode

__all__ = ["ended_at_once"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


@contextmanager
def ended_at_once() -> Iterator[None]:
    """While the block runs, SIGTERM, SIGINT and SIGQUIT end the process with a word and exit code 0.

    That is for times when there is nothing to be taken down. Whoever begins something installs handlers of its own.
    To be used in the main thread.
    """
    earlier = {number: signal.signal(number, _end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    # No print: the interrupted code may be in the middle of one, and the import lock may be held.
    os.write(2, f"schedule-zero: ended by {signal.Signals(number).name}; nothing was running\n".encode())
    os._exit(ExitCode.OK)
