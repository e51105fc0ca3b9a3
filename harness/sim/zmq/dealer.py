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

    def x_attach(self, pipe: Pipe) -> None:  # noqa: D102
        if self.probe:
            pipe.write(b"", False)
        self.queue.attach(pipe)
        self.balancer.attach(pipe)

    def x_terminated(self, pipe: Pipe) -> None:  # noqa: D102
        self.queue.remove(pipe)
        self.balancer.remove(pipe)

    def x_read_activated(self, pipe: Pipe) -> None:  # noqa: D102
        self.queue.activated(pipe)

    def x_write_activated(self, pipe: Pipe) -> None:  # noqa: D102
        self.balancer.activated(pipe)

    def x_send(self, frame: bytes, more: bool) -> bool:  # noqa: D102
        return self.balancer.send(frame, more)

    def x_recv(self) -> Frame | None:  # noqa: D102
        return self.queue.receive()

    def x_has_in(self) -> bool:  # noqa: D102
        return self.queue.has_in()

    def x_has_out(self) -> bool:  # noqa: D102
        return self.balancer.has_out()

    def x_set(self, option: int, value: Any) -> bool:  # noqa: D102
        if option == zmq.PROBE_ROUTER:
            self.probe = check_flag(value)
            return True
        return False

    def x_last_pipe(self) -> Pipe | None:  # noqa: D102
        return self.queue.last
