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


class Kind(StrEnum):
    """Which socket a mock answers with."""

    ROUTER = "router"
    REP = "rep"


class Wire(ABC):
    """One bound socket; used by one thread."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket

    @property
    def listens(self) -> bool:
        """Whether a request may be received now."""
        return True

    @abstractmethod
    def receive(self) -> tuple[Envelope, bytes | None] | None:
        """The next request (body None when its frames make no sense); None when there is none right now."""

    @abstractmethod
    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Send one reply; raises `UsageError` for what this kind of socket cannot do."""


class RouterWire(Wire):
    """Sends anything to anyone at any time; what it sends to a peer that is gone is dropped without a word."""

    def receive(self) -> tuple[Envelope, bytes | None] | None:
        """The next request, split at its empty delimiter."""
        try:
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        if len(frames) == 3 and frames[1] == b"":
            return frames[:2], frames[2]
        if b"" in frames[1:]:
            cut = frames.index(b"", 1) + 1
            return frames[:cut], frames[cut] if len(frames) == cut + 1 else None
        return frames[:1], None

    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Send to the peer that the envelope names."""
        if framing is Framing.NO_DELIMITER:
            frames = [*envelope[:-1], body]
        elif framing is Framing.EXTRA_FRAME:
            frames = [*envelope, body, b"surplus"]
        else:
            frames = [*envelope, body]
        self.socket.send_multipart(frames, zmq.NOBLOCK)


class RepWire(Wire):
    """Answers one request after the other, each exactly once: the state machine of REP is real here."""

    _busy = False

    @property
    def listens(self) -> bool:
        """Only when the last request has been answered."""
        return not self._busy

    def receive(self) -> tuple[Envelope, bytes | None] | None:
        """The next request; libzmq keeps the envelope."""
        if self._busy:
            return None
        try:
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        self._busy = True
        return [], frames[0] if len(frames) == 1 else None

    def send(self, envelope: Envelope, body: bytes, framing: Framing) -> None:
        """Answer the request that was received last."""
        if not self._busy or framing is Framing.NO_DELIMITER:
            what = "send without a request" if not self._busy else "leave out the delimiter"
            raise UsageError(f"a REP socket cannot {what}; use kind='router' for this behaviour")
        frames = [body, b"surplus"] if framing is Framing.EXTRA_FRAME else [body]
        self.socket.send_multipart(frames, zmq.NOBLOCK)
        self._busy = False


_WIRES: Final[dict[Kind, tuple[int, type[Wire]]]] = {
    Kind.ROUTER: (zmq.ROUTER, RouterWire), Kind.REP: (zmq.REP, RepWire),
}


def bind(context: zmq.Context[zmq.Socket[bytes]], kind: Kind, host: str, port: int) -> tuple[Wire, int]:
    """A bound socket of this kind and its port; `port` 0 takes a free one. Raises `zmq.ZMQError` when it is
    taken.
    """
    number, wire = _WIRES[kind]
    socket = context.socket(number)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind(f"tcp://{host}:{port or '*'}")
        bound = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    except zmq.ZMQError:
        socket.close(linger=0)
        raise
    return wire(socket), int(bound.rpartition(":")[2])
