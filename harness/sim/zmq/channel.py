"""One direction of a pipe: a queue with a high-water mark.

Credit goes back to the writer in batches, as in libzmq (``pipe_t``): after each `low` messages that were read,
not after every one. So a full queue of 10 becomes writable when 5 of them are gone.
"""

from __future__ import annotations

from collections import deque

Frames = list[bytes]
"""A whole message."""


class Channel:
    """Messages between one writer and one reader.

    :param high: most messages before the writer must wait; 0: no limit.
    :param conflate: keep the newest message only.
    """

    __slots__ = ("acknowledged", "boost", "conflate", "high", "items", "low", "read", "written")

    def __init__(self, high: int, conflate: bool = False) -> None:
        self.items: deque[Frames] = deque()
        self.conflate = conflate
        self.boost = -1
        self.written = 0
        self.read = 0
        self.acknowledged = 0
        self.high = self.low = 0
        self.set_high(0 if conflate else high)

    def set_high(self, high: int) -> None:
        """Change the high-water mark; the low one is half of it, rounded up.

        Within a process the receiver's mark of when it was bound or connected, `boost`, counts on top; 0 is no limit.
        """
        if self.boost >= 0:
            high = together(high, self.boost)
        self.high = high
        self.low = (high + 1) // 2

    @property
    def full(self) -> bool:
        """The writer must wait."""
        return 0 < self.high <= self.written - self.acknowledged

    def put(self, message: Frames) -> None:
        """Take a message in; whether there is room was asked before."""
        if self.conflate:
            self.items.clear()
        else:
            self.written += 1
        self.items.append(message)

    def get(self) -> tuple[Frames, bool]:
        """The oldest message, and whether the writer has just got credit."""
        message = self.items.popleft()
        if self.conflate:
            return message, False
        self.read += 1
        if self.low and self.read % self.low == 0:
            self.acknowledged = self.read
            return message, True
        return message, False


def together(one: int, other: int) -> int:
    """High-water marks of both ends of an inproc pipe count as one; no limit on either side is no limit."""
    return one + other if one and other else 0
