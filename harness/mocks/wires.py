"""The two sockets a mock can answer with: a ROUTER that may break every rule, and a genuine REP that may not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Final

import zmq

from harness.errors import UsageError
from harness.mocks.plan import Framing

Envelope = list[bytes]
"""The frames before the body, as they have to stand before the answer too."""


# Plain numbers: to combine two flags of an enum makes a new member each time.
_LAST: Final = int(zmq.NOBLOCK)
_MORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)


class Kind(StrEnum):
    """Which socket a mock answers with."""

    ROUTER = "router"
    REP = "rep"


class Wire(ABC):
    """One bound socket; used by one thread.

    It waits in `recv` itself, under RCVTIMEO: a poller around it costs a third of the round trips a second.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._receive = socket.recv
        self._send = socket.send
        self._wait_ms = -1

    @property
    def listens(self) -> bool:
        """Whether a request may be received now."""
        return True

    @abstractmethod
    def receive(self, wait_ms: int) -> tuple[Envelope, bytes | None] | None:
        """The next request (body None when its frames make no sense); None after `wait_ms` without one."""

    @abstractmethod
    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Send one reply; raises `UsageError` for what this kind of socket cannot do."""

    def _wait_at_most(self, wait_ms: int) -> None:
        if wait_ms != self._wait_ms:
            self.socket.setsockopt(zmq.RCVTIMEO, wait_ms)
            self._wait_ms = wait_ms

    def _all_from(self, frame: zmq.Frame) -> list[bytes]:
        # A frame knows whether another follows; recv_multipart asks the socket, which shows in the rate.
        frames = [frame.bytes]
        while frame.more:
            frame = self._receive(0, False)
            frames.append(frame.bytes)
        return frames

    def _send_frames(self, before: list[bytes], last: bytes) -> None:
        # Frame by frame: send_multipart first looks at each of them once more, which shows in the rate too.
        send = self._send
        for frame in before:
            send(frame, _MORE)
        send(last, _LAST)


class RouterWire(Wire):
    """Sends anything to anyone at any time; what it sends to a peer that is gone is dropped without a word."""

    def receive(self, wait_ms: int) -> tuple[Envelope, bytes | None] | None:
        """The next request, split at its empty delimiter."""
        self._wait_at_most(wait_ms)
        try:
            peer = self._receive()
        except zmq.Again:
            return None
        # A ROUTER puts the peer's name before what came, so at least one frame follows; from a REQ, two.
        second = self._receive(0, False)
        if not second.more or len(second):
            return self._split([peer, *self._all_from(second)])
        third = self._receive(0, False)
        if third.more:
            return self._split([peer, b"", *self._all_from(third)])
        return [peer, b""], third.bytes

    def _split(self, frames: list[bytes]) -> tuple[Envelope, bytes | None]:
        if b"" not in frames[1:]:
            return frames[:1], None
        cut = frames.index(b"", 1) + 1
        return frames[:cut], frames[cut] if len(frames) == cut + 1 else None

    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Send to the peer that the envelope names."""
        if framing is Framing.PROPER:
            self._send_frames(envelope, body)
        elif framing is Framing.NO_DELIMITER:
            self._send_frames(envelope[:-1], body)
        else:
            self._send_frames([*envelope, body], b"surplus")


class RepWire(Wire):
    """Answers one request after the other, each exactly once: the state machine of REP is real here."""

    _busy = False

    @property
    def listens(self) -> bool:
        """Only when the last request has been answered."""
        return not self._busy

    def receive(self, wait_ms: int) -> tuple[Envelope, bytes | None] | None:
        """The next request; libzmq keeps the envelope."""
        self._wait_at_most(wait_ms)
        try:
            frames = self._all_from(self._receive(0, False))
        except zmq.Again:
            return None
        self._busy = True
        return [], frames[0] if len(frames) == 1 else None

    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Answer the request that was received last."""
        if not self._busy or framing is Framing.NO_DELIMITER:
            what = "send without a request" if not self._busy else "leave out the delimiter"
            raise UsageError(f"a REP socket cannot {what}; use kind='router' for this behaviour")
        if framing is Framing.EXTRA_FRAME:
            self._send_frames([body], b"surplus")
        else:
            self._send_frames([], body)
        self._busy = False


_WIRES: Final[dict[Kind, tuple[int, type[Wire]]]] = {
    Kind.ROUTER: (zmq.ROUTER, RouterWire), Kind.REP: (zmq.REP, RepWire),
}


def bind(
    context: zmq.Context[zmq.Socket[bytes]], kind: Kind, host: str, port: int, door: str
) -> tuple[Wire, int]:
    """A bound socket of this kind and its port; `port` 0 takes a free one. Raises `zmq.ZMQError` when taken.

    `door` is a second address (inproc) of the same socket: whoever knocks there interrupts a receive.
    """
    number, wire = _WIRES[kind]
    socket = context.socket(number)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(f"tcp://{host}:{port or '*'}")
        bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        socket.bind(door)
    except zmq.ZMQError:
        socket.close(linger=0)
        raise
    return wire(socket), int(bound.rpartition(":")[2])
