"""One side of a connection: moves messages between a socket's pipe and the wire (libzmq's ``session_base_t``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from harness.sim.zmq.channel import Channel, Frames
from harness.sim.zmq.core import LATE
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.req import ReplyCheck

if TYPE_CHECKING:
    from harness.sim.timers import Timer
    from harness.sim.zmq.connection import Connection
    from harness.sim.zmq.core import SocketCore
    from harness.sim.zmq.options import Options


def new_pipe(core: SocketCore, session: Session, *, local: bool) -> Pipe:
    """A pipe between a socket and a session, with the high-water marks of when the address was bound or connected."""
    options = session.options
    conflate = bool(options.get(int(zmq.CONFLATE)))
    incoming = Channel(int(options.get(int(zmq.RCVHWM))), conflate)
    outgoing = Channel(int(options.get(int(zmq.SNDHWM))), conflate)
    pipe = Pipe(core, incoming, outgoing, local=local)
    pipe.carrier = session
    pipe.address = session.endpoint
    return pipe


class Session:
    """Serves one pipe; its connection may come and go (see `Connecter`).

    :ivar options: those of the socket when the address was bound or connected; later changes are none of its.
    :ivar endpoint: the address, for events and rules.
    :ivar active: this side connects.
    :ivar draining: the socket has let go; what is still unsent goes out first.
    :ivar zombie: connected, but the socket wants nothing of it: messages are taken and lost (a second PAIR peer).
    """

    def __init__(self, core: SocketCore, endpoint: str, options: Options, *, active: bool) -> None:
        self.core = core
        self.options = options
        self.endpoint = endpoint
        self.active = active
        self.pipe: Pipe | None = None
        self.connection: Connection | None = None
        self.draining = False
        self.zombie = False
        self._checks_replies = core.kind == int(zmq.REQ)
        self._linger_timer: Timer | None = None

    # -- what the connection says -------------------------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        """Messages can travel from now on."""
        self.connection = connection
        self.pump()

    def peer_closed(self) -> None:
        """The other side has ended the connection."""
        if self.connection is not None:
            self.connection.ended_by_peer(self)

    def lost(self) -> None:
        """The connection is gone. An accepting side has nothing left to do."""
        self.connection = None
        self.release_pipe()

    def release_pipe(self) -> None:
        """Let the socket read what has come, then forget this peer."""
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            if self.core.delimits:
                pipe.peer_left()
            elif not pipe.ended:
                pipe.closing = True
                self.core.end_pipe(pipe)
        self._drained()

    # -- the carrier of a pipe ----------------------------------------------------------------------------------------

    def flushed(self) -> None:
        """The socket has written a message."""
        self.pump()

    def credited(self) -> None:
        """The socket has read: the wire may hand over more."""
        if self.connection is not None:
            self.connection.incoming_of(self).resume()

    def left(self, linger: int) -> None:
        """The socket lets go of the pipe."""
        pipe = self.pipe
        if pipe is None:
            return
        self.draining = True
        if linger == 0 or not pipe.outgoing.items:
            self.abort()
            return
        self.core.context.lingering[self] = None
        if linger > 0:
            kernel = self.core.kernel
            delay = self.core.process.clock.true(linger * 1000) + LATE
            self._linger_timer = kernel.call_later(delay, self.abort, "linger")

    # -- messages -----------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Move messages from the pipe to the wire, as far as that has room."""
        pipe, connection = self.pipe, self.connection
        if pipe is None or connection is None:
            return
        wire = connection.outgoing_of(self)
        channel = pipe.outgoing
        while channel.items and wire.has_room():
            frames, credit = channel.get()
            wire.send(frames)
            if credit:
                pipe.credit()
        if self.draining and not channel.items:
            self.abort()

    def accept(self, frames: Frames) -> bool:
        """A message has landed. False: the pipe is full, try again later."""
        pipe = self.pipe
        if pipe is None or self.zombie or pipe.ended:
            return True
        if self._violates(frames):
            if self.connection is not None:
                self.connection.violated_by_peer(self)
            return True
        if pipe.incoming.full:
            return False
        pipe.incoming.put(frames)
        pipe.arrived()
        return True

    def _violates(self, frames: Frames) -> bool:
        if self._checks_replies and not ReplyCheck.accepts(frames):
            return True
        limit = int(self.options.get(int(zmq.MAXMSGSIZE)))
        return limit >= 0 and any(len(frame) > limit for frame in frames)

    # -- the end ------------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """End the connection now, behind what is on the wire; what is still in the pipe is lost."""
        self.pipe = None
        self.draining = False
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close(self)
        self._drained()

    def abandoned(self) -> None:
        """The socket wants nothing of this peer, and does not tell it so: the connection stays, and leads nowhere."""
        self.zombie = True
        self.pipe = None

    def _drained(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
        context = self.core.context
        if self in context.lingering:
            del context.lingering[self]
            context.check_end()
