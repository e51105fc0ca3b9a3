"""DEALER: sends to its peers in turn, reads from them in turn."""

from __future__ import annotations

from typing import Any, ClassVar

import zmq

from harness.sim.zmq.balancer import Balancer
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.fair_queue import FairQueue, Frame
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.router import check_flag


class DealerCore(SocketCore):
    """As ``dealer_t``; REQ builds on it."""

    kind: ClassVar[int] = int(zmq.DEALER)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.queue = FairQueue()
        self.balancer = Balancer()
        self.probe = False

    def x_attach(self, pipe: Pipe) -> None:
        """Read from it and write to it in turn; introduce yourself with ``PROBE_ROUTER``."""
        if self.probe:
            pipe.write(b"", False)
        self.queue.attach(pipe)
        self.balancer.attach(pipe)

    def x_terminated(self, pipe: Pipe) -> None:
        """Out of both rotations."""
        self.queue.remove(pipe)
        self.balancer.remove(pipe)

    def x_read_activated(self, pipe: Pipe) -> None:
        """Back into the rotation of readers."""
        self.queue.activated(pipe)

    def x_write_activated(self, pipe: Pipe) -> None:
        """Back into the rotation of writers."""
        self.balancer.activated(pipe)

    def x_send(self, frame: bytes, more: bool) -> bool:
        """To the peer whose turn it is."""
        return self.balancer.send(frame, more)

    def x_recv(self) -> Frame | None:
        """From the peer whose turn it is."""
        return self.queue.receive()

    def x_has_in(self) -> bool:
        """Some peer has sent something."""
        return self.queue.has_in()

    def x_has_out(self) -> bool:
        """Some peer has room."""
        return self.balancer.has_out()

    def x_set(self, option: int, value: Any) -> bool:
        """``PROBE_ROUTER``."""
        if option == zmq.PROBE_ROUTER:
            self.probe = check_flag(value)
            return True
        return False

    def x_last_pipe(self) -> Pipe | None:
        """Who sent the latest frame."""
        return self.queue.last
