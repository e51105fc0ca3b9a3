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


_MORE: Final = zmq.NOBLOCK | zmq.SNDMORE


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

    def _frames(self, wait_ms: int) -> list[bytes]:
        if wait_ms != self._wait_ms:
            self.socket.setsockopt(zmq.RCVTIMEO, wait_ms)
            self._wait_ms = wait_ms
        receive = self.socket.recv
        try:
            frame = receive(copy=False)
        except zmq.Again:
            return []
        # A frame knows whether another follows; recv_multipart asks the socket, which shows in the rate.
        frames = [frame.bytes]
        while frame.more:
            frame = receive(copy=False)
            frames.append(frame.bytes)
        return frames

    def _send_frames(self, before: list[bytes], last: bytes) -> None:
        # Frame by frame: send_multipart first looks at each of them once more, which shows in the rate too.
        send = self.socket.send
        for frame in before:
            send(frame, _MORE)
        send(last, zmq.NOBLOCK)


class RouterWire(Wire):
    """Sends anything to anyone at any time; what it sends to a peer that is gone is dropped without a word."""

    def receive(self, wait_ms: int) -> tuple[Envelope, bytes | None] | None:
        """The next request, split at its empty delimiter."""
        frames = self._frames(wait_ms)
        if len(frames) == 3 and frames[1] == b"":
            return frames[:2], frames[2]
        if not frames:
            return None
        if b"" in frames[1:]:
            cut = frames.index(b"", 1) + 1
            return frames[:cut], frames[cut] if len(frames) == cut + 1 else None
        return frames[:1], None

    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Send to the peer that the envelope names."""
        if framing is Framing.NO_DELIMITER:
            self._send_frames(envelope[:-1], body)
        elif framing is Framing.EXTRA_FRAME:
            self._send_frames([*envelope, body], b"surplus")
        else:
            self._send_frames(envelope, body)


class RepWire(Wire):
    """Answers one request after the other, each exactly once: the state machine of REP is real here."""

    _busy = False

    @property
    def listens(self) -> bool:
        """Only when the last request has been answered."""
        return not self._busy

    def receive(self, wait_ms: int) -> tuple[Envelope, bytes | None] | None:
        """The next request; libzmq keeps the envelope."""
        frames = self._frames(wait_ms)
        if not frames:
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
