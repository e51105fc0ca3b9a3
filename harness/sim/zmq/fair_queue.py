"""Reading from many pipes in turn: libzmq's ``fq_t``, line for line.

The first `active` entries of `pipes` may have messages. Order matters: a differential test against libzmq has shown
that peers are served by this rotation, not by time of arrival.
"""

from __future__ import annotations

from harness.sim.zmq.pipe import Pipe

Frame = tuple[bytes, bool]
"""One frame, and whether more of its message follow."""


def swap(pipes: list[Pipe], one: int, other: int) -> None:
    """Exchange two entries."""
    pipes[one], pipes[other] = pipes[other], pipes[one]


class FairQueue:
    """The inbound side of a socket."""

    __slots__ = ("active", "current", "last", "more", "pipes")

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self.active = 0
        self.current = 0
        self.more = False
        self.last: Pipe | None = None
        """The pipe that the latest frame came from."""

    def attach(self, pipe: Pipe) -> None:
        """A new pipe; it may hold messages already."""
        self.pipes.append(pipe)
        swap(self.pipes, self.active, len(self.pipes) - 1)
        self.active += 1

    def activated(self, pipe: Pipe) -> None:
        """Something has arrived in an inactive pipe."""
        swap(self.pipes, self.pipes.index(pipe), self.active)
        self.active += 1

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone; harmless when it never was here."""
        if pipe not in self.pipes:
            return
        index = self.pipes.index(pipe)
        if index < self.active:
            self.active -= 1
            swap(self.pipes, index, self.active)
            if self.current == self.active:
                self.current = 0
        self.pipes.remove(pipe)
        if self.last is pipe:
            self.last = None
            self.more = False

    def receive(self) -> Frame | None:
        """The next frame, of the same message first, else of the next pipe in turn; None: nothing is there."""
        while self.active:
            pipe = self.pipes[self.current]
            got = pipe.read()
            if got is not None:
                self.last = pipe
                self.more = got[1]
                if not self.more:
                    self.current = (self.current + 1) % self.active
                return got
            self._deactivate()
        return None

    def has_in(self) -> bool:
        """Whether `receive` would give something."""
        if self.more:
            return True
        while self.active:
            if self.pipes[self.current].check_read():
                return True
            self._deactivate()
        return False

    def _deactivate(self) -> None:
        self.active -= 1
        swap(self.pipes, self.current, self.active)
        if self.current == self.active:
            self.current = 0
