"""PAIR: one peer, no more."""

from __future__ import annotations

from typing import ClassVar

import zmq

from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.fair_queue import Frame
from harness.sim.zmq.pipe import Pipe


class PairCore(SocketCore):
    """Talks with the first peer that comes; others are turned away until that one is gone."""

    kind: ClassVar[int] = int(zmq.PAIR)
    peer: Pipe | None = None
    _last: Pipe | None = None

    def x_attach(self, pipe: Pipe) -> None:
        """The first peer is taken, others are turned away."""
        if self.peer is None:
            self.peer = pipe
        else:
            pipe.abandon()

    def x_terminated(self, pipe: Pipe) -> None:
        """The next peer may come."""
        if pipe is self.peer:
            self.peer = None

    def x_send(self, frame: bytes, more: bool) -> bool:
        """To the peer, if there is one and it has room."""
        return self.peer is not None and self.peer.write(frame, more)

    def x_recv(self) -> Frame | None:
        """From the peer."""
        self._last = self.peer
        return self.peer.read() if self.peer is not None else None

    def x_has_in(self) -> bool:
        """The peer has sent something."""
        return self.peer is not None and self.peer.check_read()

    def x_has_out(self) -> bool:
        """The peer has room."""
        return self.peer is not None and self.peer.check_write()

    def x_last_pipe(self) -> Pipe | None:
        """The peer."""
        return self._last
