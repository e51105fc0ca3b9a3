"""What is due when: a heap of callbacks beside the deadlines of waiting threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sim.thread import SimThread

SLACK = 1e-3
"""Microseconds. 0.1 + 0.2 is a hair above 0.3; less than a nanosecond too much does not cost a whole microsecond."""


def us(seconds: float) -> int:
    """Whole microseconds, rounded up so that no wait is shorter than asked; negative durations are 0.

    What is left of a wait after float arithmetic (``due - now`` of 1e-13 s) is one microsecond: a loop that waits
    until ``now >= due`` would otherwise turn for ever without time passing.

    >>> us(0.1 + 0.2), us(1.0000001), us(1e-13), us(-1)
    (300000, 1000001, 1, 0)
    """
    if seconds <= 0:
        return 0
    return max(1, math.ceil(seconds * 1e6 - SLACK))


class Timer:
    """A callback that is due at one time.

    :ivar when: microseconds of world time.
    :ivar label: says in traces which timer fired; empty: not traced.
    :ivar deadline: number of its entry, as a waiting thread's; 0 once it has fired or was cancelled.
    """

    __slots__ = ("_timers", "callback", "deadline", "label", "when")

    def __init__(self, timers: Timers, when: int, callback: Callable[[], object], label: str) -> None:
        self._timers = timers
        self.when = when
        self.callback = callback
        self.label = label
        # As `Timers.add` does; a call costs as much as all of this.
        timers.number = self.deadline = number = timers.number + 1
        heappush(timers.heap, (when, number, self))

    @property
    def pending(self) -> bool:
        """It has neither fired nor been cancelled."""
        return self.deadline != 0

    def cancel(self) -> None:
        """Never fire; harmless when it has fired already."""
        if self.deadline:
            self.deadline = 0
            self.callback = _nothing
            self._timers.stale()


def _nothing() -> None:
    """What a cancelled timer holds, so that it does not keep what it would have called."""


Entry = tuple[int, int, "Timer | SimThread"]
"""When, number, who. Numbers break ties: what was set first fires first. Void as soon as ``who.deadline`` differs."""


class Timers:
    """The heap. Cancelled entries stay until they come up, or until they are more than half of it."""

    __slots__ = ("_stale", "heap", "number")

    SMALL = 64
    """Entries under which tidying up is not worth it."""

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self.number = 0
        self._stale = 0

    def add(self, when: int, who: Timer | SimThread) -> int:
        """Enter `who` at `when`; its number."""
        self.number = number = self.number + 1
        heappush(self.heap, (when, number, who))
        return number

    def stale(self) -> None:
        """One entry more is void."""
        self._stale += 1
        if self._stale > self.SMALL and self._stale * 2 > len(self.heap):
            # In place: the kernel's inner loop holds on to this very list.
            self.heap[:] = [entry for entry in self.heap if entry[2].deadline == entry[1]]
            heapify(self.heap)
            self._stale = 0
