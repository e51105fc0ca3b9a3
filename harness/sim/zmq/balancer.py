"""Writing to many pipes in turn: libzmq's ``lb_t``, line for line."""

from __future__ import annotations

from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.rotation import Rotation


class Balancer(Rotation):
    """The outbound side of a socket that spreads its messages."""

    __slots__ = ("dropping",)

    def __init__(self) -> None:
        super().__init__()
        self.dropping = False

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone; the rest of a message that was on its way into it is dropped."""
        if self.more and self.pipes.index(pipe) == self.current:
            self.dropping = True
        super().remove(pipe)
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
            self._deactivate()
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
            self._deactivate()
        return False
