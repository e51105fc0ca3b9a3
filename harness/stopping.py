"""The signals that ask a run to stop: all of them end it in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

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
