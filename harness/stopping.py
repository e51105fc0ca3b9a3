"""The signals that ask a run to stop: all of them end it in good order."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from harness.errors import ExitCode

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Ctrl-C, `kill`, a terminal that was closed, and Ctrl-\\."""


def heeded() -> tuple[signal.Signals, ...]:
    """Those of them that are not ignored: what was started by ``nohup`` goes on when its terminal is closed."""
    return tuple(number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)


@contextlib.contextmanager
def caught_by(handler: Callable[[], None]) -> Iterator[None]:
    """Have each of them call `handler`, and do nothing else, while the block runs.

    Outside the main thread, to which signals do not come anyway, nothing is changed.
    """
    before = []
    for number in heeded():
        try:
            before.append((number, signal.signal(number, lambda *_: handler())))
        except ValueError:
            continue
    try:
        yield
    finally:
        for number, earlier in before:
            signal.signal(number, earlier)


def begin() -> None:
    """Have each of them end this process at once, with a line that says so: nothing has begun, nothing is to be healed.

    For the time in which a command is imported; it calls `begun` when it can end in another way.
    """
    for number in heeded():
        signal.signal(number, _end)


def begun() -> None:
    """Have each of them raise `KeyboardInterrupt` from now on, where `begin` has been called."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is _end:
            # asyncio takes SIGINT over only from its default handler.
            signal.signal(number, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    # No print: the interrupted code may be in the middle of one, or hold the import lock.
    os.write(2, f"harness: stopped by {signal.Signals(number).name} before anything began\n".encode())
    os._exit(ExitCode.INTERRUPTED)
