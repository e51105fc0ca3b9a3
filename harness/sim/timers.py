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

    >>> us(0.1 + 0.2), us(1.0000001), us(-1)
    (300000, 1000001, 0)
    """
    return max(0, math.ceil(seconds * 1e6 - SLACK))


class Timer:
    """A callback that is due at one time.

    :ivar when: microseconds of world time.
    :ivar label: says in traces which timer fired; empty: not traced.
    """

    __slots__ = ("_timers", "callback", "label", "when")

    def __init__(self, timers: Timers, when: int, callback: Callable[[], object], label: str) -> None:
        self._timers = timers
        self.when = when
        self.callback: Callable[[], object] | None = callback
        self.label = label

    @property
    def pending(self) -> bool:
        """It has neither fired nor been cancelled."""
        return self.callback is not None

    def cancel(self) -> None:
        """Never fire; harmless when it has fired already."""
        if self.callback is not None:
            self.callback = None
            self._timers.stale()


Entry = tuple[int, int, "Timer | SimThread"]
"""When, number, who. The number breaks ties: what was set first fires first."""


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
            self.heap[:] = [entry for entry in self.heap if not void(entry)]
            heapify(self.heap)
            self._stale = 0


def void(entry: Entry) -> bool:
    """Its timer was cancelled, or its thread waits no longer."""
    who = entry[2]
    return who.callback is None if isinstance(who, Timer) else who.deadline != entry[1]
