"""ROUTER: says of each message who sent it, sends each to whom its first frame names (libzmq's ``router_t``)."""

from __future__ import annotations

import errno
from typing import Any, ClassVar

import zmq

from harness.sim.errors import NotSimulated
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.failures import failure
from harness.sim.zmq.fair_queue import FairQueue, Frame
from harness.sim.zmq.pipe import Pipe


def check_flag(value: int) -> bool:
    """Options that are 0 or positive. Raises ZMQError (EINVAL)."""
    if value < 0:
        raise failure(errno.EINVAL)
    return value != 0


class RouterCore(SocketCore):
    """Addresses peers by routing id. REP builds on it."""

    kind: ClassVar[int] = int(zmq.ROUTER)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.queue = FairQueue()
        self.mandatory = False
        self.handover = False
        self.probe = False
        self.connect_id = b""
        self.peers: dict[bytes, Pipe] = {}
        self._next_id = self.number * 2_246_822_519 & 0xFFFFFFFF
        self._anonymous: dict[Pipe, None] = {}
        self._prefetched: list[Frame] = []
        self._ready: Frame | None = None
        self._more_in = False
        self._more_out = False
        self._out: Pipe | None = None

    # -- peers --------------------------------------------------------------------------------------------------------

    def x_attach(self, pipe: Pipe) -> None:
        """Nobody hears of the peer before its name is known."""
        if self.probe:
            pipe.write(b"", False)
        self._anonymous[pipe] = None
        if pipe.local and self.connect_id:
            wanted, self.connect_id = self.connect_id, b""
            self._admit(pipe, wanted)

    def x_identified(self, pipe: Pipe) -> None:
        """Admit the peer under its name, or under a new one if it has none."""
        if pipe not in self._anonymous:
            return
        wanted = pipe.peer_id or self._new_id()
        known = self.peers.get(wanted)
        if known is not None:
            if not self.handover:
                # The second of the same name stays outside: nothing it sends is ever read.
                return
            del self.peers[wanted]
            known.routing_id = self._new_id()
            self.peers[known.routing_id] = known
            known.abandon()
        self._admit(pipe, wanted)

    def _admit(self, pipe: Pipe, name: bytes) -> None:
        del self._anonymous[pipe]
        pipe.routing_id = name
        self.peers[name] = pipe
        self.queue.attach(pipe)

    def _new_id(self) -> bytes:
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        return b"\0" + self._next_id.to_bytes(4, "big")

    def x_terminated(self, pipe: Pipe) -> None:
        """Its name is free."""
        if pipe in self._anonymous:
            del self._anonymous[pipe]
            return
        if self.peers.get(pipe.routing_id) is pipe:
            del self.peers[pipe.routing_id]
        self.queue.remove(pipe)
        if pipe is self._out:
            self._out = None

    def x_read_activated(self, pipe: Pipe) -> None:
        """Back into the rotation, unless it was never admitted."""
        if pipe not in self._anonymous:
            self.queue.activated(pipe)

    # -- in -----------------------------------------------------------------------------------------------------------

    def x_recv(self) -> Frame | None:
        """The sender's name first, then the frames."""
        if self._ready is None and not self._fetch_frame():
            return None
        if self._prefetched:
            return self._prefetched.pop()
        got, self._ready = self._ready, None
        self._more_in = got is not None and got[1]
        return got

    def _fetch_frame(self) -> bool:
        """Take the next frame; at the beginning of a message, put the sender's id before it."""
        got = self.queue.receive()
        if got is None:
            return False
        self._ready = got
        if not self._more_in and self.queue.last is not None:
            self._prefetched.append((self.queue.last.routing_id, True))
        return True

    def x_has_in(self) -> bool:
        """Some peer has sent something; it is taken out of its pipe."""
        if self._more_in or self._ready is not None:
            return True
        return self._fetch_frame()

    def x_last_pipe(self) -> Pipe | None:
        """Who sent the latest frame."""
        return self.queue.last

    # -- out ----------------------------------------------------------------------------------------------------------

    def x_send(self, frame: bytes, more: bool) -> bool:
        """The first frame names the peer; EHOSTUNREACH for a stranger if mandatory."""
        if not self._more_out:
            return self._address(frame) if more else True
        self._more_out = more
        if self._out is not None:
            if not self._out.write(frame, more):
                self._out.rollback()
                self._out = None
            elif not more:
                self._out = None
        return True

    def _address(self, name: bytes) -> bool:
        """The first frame of a message: whose it is."""
        pipe = self.peers.get(name)
        if pipe is None:
            if self.mandatory:
                raise failure(errno.EHOSTUNREACH)
        elif not pipe.check_write():
            full = pipe.outgoing.full
            pipe = None
            if self.mandatory:
                if full:
                    return False
                raise failure(errno.EHOSTUNREACH)
        self._out = pipe
        self._more_out = True
        return True

    def rollback(self) -> None:
        """Forget the message that is being written."""
        if self._out is not None:
            self._out.rollback()
            self._out = None
        self._more_out = False

    def x_has_out(self) -> bool:
        """Always, unless mandatory: then some peer must have room."""
        if not self.mandatory:
            return True
        return any(not pipe.outgoing.full for pipe in self.peers.values())

    # -- options ------------------------------------------------------------------------------------------------------

    def x_set(self, option: int, value: Any) -> bool:
        """The ``ROUTER_…`` options, ``PROBE_ROUTER``, ``CONNECT_ROUTING_ID``."""
        if option == zmq.ROUTER_MANDATORY:
            self.mandatory = check_flag(value)
        elif option == zmq.ROUTER_HANDOVER:
            self.handover = check_flag(value)
        elif option == zmq.PROBE_ROUTER:
            self.probe = check_flag(value)
        elif option == zmq.CONNECT_ROUTING_ID:
            if not value:
                raise failure(errno.EINVAL)
            self.connect_id = value
        elif option == zmq.ROUTER_RAW:
            if check_flag(value):
                raise NotSimulated("setsockopt(ROUTER_RAW, 1) is not simulated: raw TCP peers speak no ZMTP")
        else:
            return False
        return True
