"""PUSH: out to its peers in turn. PULL: in from its peers in turn."""

from __future__ import annotations

from typing import Any, ClassVar

import zmq

from harness.sim.zmq.balancer import Balancer
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.fair_queue import FairQueue, Frame
from harness.sim.zmq.pipe import Pipe


class PushCore(SocketCore):
    """Sends only; waits when no peer has room."""

    kind: ClassVar[int] = int(zmq.PUSH)
    delimits: ClassVar[bool] = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.balancer = Balancer()

    def x_attach(self, pipe: Pipe) -> None:
        """Into the rotation."""
        self.balancer.attach(pipe)

    def x_terminated(self, pipe: Pipe) -> None:
        """Out of the rotation."""
        self.balancer.remove(pipe)

    def x_write_activated(self, pipe: Pipe) -> None:
        """Back into the rotation."""
        self.balancer.activated(pipe)

    def x_send(self, frame: bytes, more: bool) -> bool:
        """To the peer whose turn it is."""
        return self.balancer.send(frame, more)

    def x_has_out(self) -> bool:
        """Some peer has room."""
        return self.balancer.has_out()


class PullCore(SocketCore):
    """Receives only."""

    kind: ClassVar[int] = int(zmq.PULL)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.queue = FairQueue()

    def x_attach(self, pipe: Pipe) -> None:
        """Into the rotation."""
        self.queue.attach(pipe)

    def x_terminated(self, pipe: Pipe) -> None:
        """Out of the rotation."""
        self.queue.remove(pipe)

    def x_read_activated(self, pipe: Pipe) -> None:
        """Back into the rotation."""
        self.queue.activated(pipe)

    def x_recv(self) -> Frame | None:
        """From the peer whose turn it is."""
        return self.queue.receive()

    def x_has_in(self) -> bool:
        """Some peer has sent something."""
        return self.queue.has_in()

    def x_last_pipe(self) -> Pipe | None:
        """Who sent the latest frame."""
        return self.queue.last
