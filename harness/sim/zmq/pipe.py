"""A socket's end of one connection: whole messages in, whole messages out, frame by frame.

Ports ``pipe_t`` of libzmq 4.3.5 as far as it can be observed. A pipe that its peer has left is read to the end first;
that is why the request of a client which is gone is served all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness.sim.zmq.channel import Channel, Frames

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore


class Carrier(Protocol):
    """What takes messages out of a pipe: a session (TCP, IPC), or the other end (inproc)."""

    def flushed(self) -> None:
        """A whole message was written."""

    def credited(self) -> None:
        """There is room again where this end reads."""

    def left(self, linger: int) -> None:
        """The socket lets go of its end; `linger` ms for what is still unsent, -1: for ever."""

    def abandoned(self) -> None:
        """The socket wants nothing of this peer."""


class Pipe:
    """One end.

    :ivar peer_id: routing id that the peer has announced; None: not known yet.
    :ivar peer_metadata: what the peer's ``METADATA`` has given.
    :ivar peer_type: name of the peer's type, such as ``REQ``.
    :ivar local: this side has connected.
    :ivar attached: the socket has taken it in.
    :ivar hiccuped: its connection is another one now, and the socket does not know.
    :ivar closing: the peer has left; what has arrived can still be read.
    :ivar ended: taken from the socket; nothing more happens.
    """

    __slots__ = (
        "address", "attached", "carrier", "closing", "core", "ended", "hiccuped", "incoming", "local", "outgoing",
        "peer_id", "peer_metadata", "peer_type", "readable", "reading", "routing_id", "writable", "writing",
    )  # fmt: skip

    def __init__(self, core: SocketCore, incoming: Channel, outgoing: Channel, *, local: bool) -> None:
        self.core = core
        self.incoming = incoming
        self.outgoing = outgoing
        self.local = local
        self.carrier: Carrier
        self.peer_id: bytes | None = None
        self.peer_type = ""
        self.peer_metadata: dict[str, str] = {}
        self.address = ""
        self.routing_id = b""
        self.reading: Frames = []
        self.writing: Frames = []
        self.readable = True
        self.writable = True
        self.attached = False
        self.hiccuped = False
        self.closing = False
        self.ended = False

    # -- reading ------------------------------------------------------------------------------------------------------

    def check_read(self) -> bool:
        """Whether a frame can be read; if not, the pipe counts as inactive until something arrives."""
        if self.reading or self.incoming.items:
            return True
        self.readable = False
        if self.closing and not self.ended:
            self.core.doom(self)
        return False

    def read(self) -> tuple[bytes, bool] | None:
        """The next frame, and whether more of its message follow."""
        if not self.check_read():
            return None
        frames = self.reading
        if not frames:
            frames, credit = self.incoming.get()
            frames = self.reading = frames[::-1]
            if credit and not self.ended:
                self.carrier.credited()
        frame = frames.pop()
        return frame, bool(frames)

    def arrived(self) -> None:
        """Something was put into `incoming`: tell the socket if it believes that there is nothing."""
        if not self.readable and not self.ended:
            self.readable = True
            self.core.read_activated(self)

    # -- writing ------------------------------------------------------------------------------------------------------

    def check_write(self) -> bool:
        """Whether a message can be written; if not, the pipe counts as inactive until there is room."""
        if not self.writable or self.closing or self.ended:
            return False
        if self.outgoing.full:
            self.writable = False
            return False
        return True

    def write(self, frame: bytes, more: bool) -> bool:
        """Write one frame; the message goes off with its last one. False: there is no room."""
        if not self.check_write():
            return False
        self.writing.append(frame)
        if not more:
            message, self.writing = self.writing, []
            self.outgoing.put(message)
            self.carrier.flushed()
        return True

    def rollback(self) -> None:
        """Drop the part of a message that was written so far."""
        self.writing = []

    def renew(self) -> None:
        """Write to another connection: what was meant for the last one is gone."""
        old = self.outgoing
        self.outgoing = Channel(old.high, old.conflate)
        self.writing = []
        self.writable = True

    def credit(self) -> None:
        """The reader has made room."""
        if not self.writable and not self.ended and not self.closing and not self.outgoing.full:
            self.writable = True
            self.core.write_activated(self)

    # -- the end ------------------------------------------------------------------------------------------------------

    def peer_left(self) -> None:
        """The other side is gone: nothing more can be written; what has come can be read.

        A socket learns of it where it reads (libzmq's delimiter): until its turn comes, the pipe keeps its place.
        """
        if self.closing or self.ended:
            return
        self.closing = True
        self.rollback()
        if self.core.delimits:
            self.arrived()
        else:
            self.core.end_pipe(self)

    def leave(self, linger: int) -> None:
        """The socket lets go of the pipe, `linger` in ms."""
        if not self.ended:
            self.rollback()
            self.core.end_pipe(self)
            self.carrier.left(linger)

    def abandon(self) -> None:
        """The socket wants nothing of this peer (the second one of a PAIR, or one whose name another took)."""
        if not self.ended:
            self.rollback()
            self.core.end_pipe(self)
            self.carrier.abandoned()


class InprocCarrier:
    """Joins two ends in one context: what one writes, the other can read at once."""

    __slots__ = ("other", "pipe")

    def __init__(self, pipe: Pipe, other: Pipe | None) -> None:
        self.pipe = pipe
        self.other = other

    def flushed(self) -> None:
        """The other end shares the channel."""
        if self.other is not None:
            self.other.arrived()

    def credited(self) -> None:
        """Room for the other end's messages."""
        if self.other is not None:
            self.other.credit()

    def left(self, linger: int) -> None:
        """What was written stays readable, whatever the linger (libzmq 4.3.5)."""
        if self.other is not None:
            self.other.peer_left()

    def abandoned(self) -> None:
        """Within a process there is no connection that could stay."""
        self.left(0)
