"""Writing to many pipes in turn: libzmq's ``lb_t``, line for line."""

from __future__ import annotations

from harness.sim.zmq.fair_queue import swap
from harness.sim.zmq.pipe import Pipe


class Balancer:
    """The outbound side of a socket that spreads its messages."""

    __slots__ = ("active", "current", "dropping", "last", "more", "pipes")

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self.active = 0
        self.current = 0
        self.more = False
        self.dropping = False
        self.last: Pipe | None = None
        """The pipe that took the latest frame."""

    def attach(self, pipe: Pipe) -> None:
        """A new pipe, writable."""
        self.pipes.append(pipe)
        self.activated(pipe)

    def activated(self, pipe: Pipe) -> None:
        """There is room in an inactive pipe."""
        swap(self.pipes, self.pipes.index(pipe), self.active)
        self.active += 1

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone; the rest of a message that was on its way into it is dropped."""
        index = self.pipes.index(pipe)
        if index == self.current and self.more:
            self.dropping = True
        if index < self.active:
            self.active -= 1
            swap(self.pipes, index, self.active)
            if self.current == self.active:
                self.current = 0
        self.pipes.remove(pipe)
        if self.last is pipe:
            self.last = None

    def send(self, frame: bytes, more: bool) -> bool:
        """Write one frame into the pipe whose turn it is; False: no pipe has room."""
        if self.dropping:
            self.more = self.dropping = more
            return True
        while self.active:
            pipe = self.pipes[self.current]
            if pipe.write(frame, more):
                self.last = pipe
                break
            if self.more:
                # The pipe has ended under a message half written.
                pipe.rollback()
                self.dropping, self.more = more, False
                return False
            self.active -= 1
            if self.current < self.active:
                swap(self.pipes, self.current, self.active)
            else:
                self.current = 0
        if not self.active:
            return False
        self.more = more
        if not more:
            self.current += 1
            if self.current >= self.active:
                self.current = 0
        return True

    def has_out(self) -> bool:
        """Whether `send` would take a frame."""
        if self.more:
            return True
        while self.active:
            if self.pipes[self.current].check_write():
                return True
            self.active -= 1
            swap(self.pipes, self.current, self.active)
            if self.current == self.active:
                self.current = 0
        return False
