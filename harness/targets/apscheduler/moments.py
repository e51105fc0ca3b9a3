"""The clocks of this process, read as one moment.

Apart from what records a scheduler, so that whoever only reads a clock does not wait for APScheduler to be imported.
"""

from __future__ import annotations

import time

_TRIES = 5
_AT_ONCE = 50e-6
"""Seconds between two readings of clocks that count as one moment."""


def wall() -> int:
    """The wall clock of this process, in µs since 1970."""
    return time.time_ns() // 1000


def clocks() -> tuple[float, int]:
    """The monotonic clock (seconds) and the wall clock (µs since 1970) of one moment.

    Taken again when the process was held up between the two, so that times can be turned from one into the other.
    """
    for _ in range(_TRIES):
        before, shown, after = time.monotonic(), wall(), time.monotonic()
        if after - before < _AT_ONCE:
            break
    return (before + after) / 2, shown
