"""Reading from many pipes in turn: libzmq's ``fq_t``, line for line."""

from __future__ import annotations

from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.rotation import Rotation

Frame = tuple[bytes, bool]
"""One frame, and whether more of its message follow."""


class FairQueue(Rotation):
    """The inbound side of a socket."""

    __slots__ = ()

    def remove(self, pipe: Pipe) -> None:
        """The pipe is gone; harmless when it never was here."""
        if pipe not in self.pipes:
            return
        super().remove(pipe)
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
