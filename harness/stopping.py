"""The signals that ask a run to stop: all of them end it in good order."""

from __future__ import annotations

import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Ctrl-C, `kill`, a terminal that was closed, and Ctrl-\\."""


def heeded() -> tuple[signal.Signals, ...]:
    """Those of them that are not ignored: what was started by ``nohup`` goes on when its terminal is closed."""
    return tuple(number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
