"""A connection between two sessions, from the handshake to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zmq

from harness.sim.process import ProcessState
from harness.sim.zmq.pipe import Pipe
from harness.sim.zmq.session import Session, new_pipe
from harness.sim.zmq.wire import Wire

if TYPE_CHECKING:
    from harness.sim.zmq.connecter import Connecter
    from harness.sim.zmq.listener import Listener

PARTNERS: Final = {
    "REQ": ("REP", "ROUTER"),
    "REP": ("REQ", "DEALER"),
    "DEALER": ("REP", "DEALER", "ROUTER"),
    "ROUTER": ("REQ", "DEALER", "ROUTER"),
    "PUSH": ("PULL",),
    "PULL": ("PUSH",),
    "PUB": ("SUB", "XSUB"),
    "SUB": ("PUB", "XPUB"),
    "XPUB": ("SUB", "XSUB"),
    "XSUB": ("PUB", "XPUB"),
    "PAIR": ("PAIR",),
}
"""Which types talk to which (ZMTP 3.1); others are disconnected in the handshake."""

_IDENTIFIES: Final = ("REQ", "DEALER", "ROUTER")


class Connection:
    """Two sessions and the wires between them.

    :ivar client: the session that connected.
    :ivar server: the session that was accepted.
    """

    def __init__(self, connecter: Connecter, listener: Listener) -> None:
        self.connecter = connecter
        self.listener = listener
        engine = connecter.core.context.engine
        self.client = connecter.session
        self.server = Session(listener.core, str(listener.endpoint), listener.options, active=False)
        self.client_fd = engine.descriptor_number()
        self.server_fd = engine.descriptor_number()
        self.up = Wire(engine.fabric, self.client, self.server)
        self.down = Wire(engine.fabric, self.server, self.client)
        self.up.on_stall = self.down.on_stall = self.stalled
        self.ready = False
        self.over: bool = False
        listener.connections[self] = None
        engine.connections[self] = None

    # -- the handshake ------------------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Both sides have said who they are: go on if they fit."""
        if self.over:
            return
        if not self._fits():
            self._tell_lost(self.server)
            self._tell_lost(self.client)
            self._end()
            self.connecter.refused_for_good()
            return
        client, server = self.client, self.server
        leaving = [session for session in (server, client) if self._too_long(self.other(session), session)]
        if leaving:
            self._leave(leaving)
            return
        self.ready = True
        self._introduce()
        server.core.monitor.tell(zmq.Event.HANDSHAKE_SUCCEEDED, 0, server.endpoint)
        client.core.monitor.tell(zmq.Event.HANDSHAKE_SUCCEEDED, 0, client.endpoint)
        server.connected(self)
        self._tell_client()

    def _leave(self, leaving: list[Session]) -> None:
        """These find the READY of the other too long, and end the connection.

        Who stays has read theirs: its handshake has succeeded, and what it sends until it learns of the end is lost
        (libzmq 4.3.5).
        """
        for session in leaving:
            self._tell_lost(session)
        if len(leaving) == 2:
            self._end()
            self.connecter.cannot_read()
            return
        [gone] = leaving
        stays = self.other(gone)
        self.ready = True
        if stays is self.client:
            self._introduce_client()
        else:
            self.server.core.mail.announce(self._introduce_server())
        stays.core.monitor.tell(zmq.Event.HANDSHAKE_SUCCEEDED, 0, stays.endpoint)
        stays.connected(self)
        self.close(gone)
        if gone is self.client:
            self.connecter.cannot_read()

    def _tell_client(self) -> None:
        """The accepting side came first, and may have ended it again."""
        if self.over:
            self.connecter.lost()
        else:
            self.client.connected(self)

    def _introduce(self) -> None:
        pipe = self._introduce_server()
        self._introduce_client()
        self.server.core.mail.announce(pipe)

    def _introduce_server(self) -> Pipe:
        """The pipe of the accepting side, which is still to be attached: it comes after the other's."""
        server = self.server
        server.pipe = pipe = new_pipe(server.core, server, local=False)
        _identify(server, self.client)
        return pipe

    def _introduce_client(self) -> None:
        client, server = self.client, self.server
        pipe = client.pipe
        if pipe is None:
            client.pipe = pipe = new_pipe(client.core, client, local=True)
            _identify(client, server)
            client.core.mail.announce(pipe)
        else:
            _identify(client, server)
            client.core.identified(pipe)

    def _fits(self) -> bool:
        return self.server.core.type_name in PARTNERS[self.client.core.type_name]

    @staticmethod
    def _too_long(sender: Session, receiver: Session) -> bool:
        """``MAXMSGSIZE`` counts for the READY command as well (libzmq 4.3.5)."""
        limit = int(receiver.options.get(int(zmq.MAXMSGSIZE)))
        core = sender.core
        size = 6 + 16 + len(core.type_name)
        if core.type_name in _IDENTIFIES:
            size += 13 + len(sender.options.get(int(zmq.ROUTING_ID)))
        return 0 <= limit < size

    # -- who is who ---------------------------------------------------------------------------------------------------

    def outgoing_of(self, session: Session) -> Wire:
        """The wire on which this session sends."""
        return self.up if session is self.client else self.down

    def incoming_of(self, session: Session) -> Wire:
        """The wire from which this session receives."""
        return self.down if session is self.client else self.up

    def other(self, session: Session) -> Session:
        """The session on the other side."""
        return self.server if session is self.client else self.client

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self, session: Session) -> None:
        """This side ends the connection; the other learns it behind what is on the wire."""
        if self.over:
            return
        if self.other(session).connection is not self:
            # Both have ended it: nobody is left to learn of it.
            self._end()
            return
        self.incoming_of(session).cut()
        self.outgoing_of(session).finish()

    def ended_by_peer(self, session: Session) -> None:
        """This side learns that the other has ended the connection."""
        if self.over:
            return
        self._tell_lost(session)
        self._end()
        self._lose(session)

    def violated_by_peer(self, session: Session) -> None:
        """The other side has sent what it must not: end the connection; a connecting side does not come back."""
        if self.over:
            return
        other = self.other(session)
        self._tell_lost(session)
        if session is self.client:
            session.connection = None
            self.connecter.refused_for_good()
        else:
            session.lost()
        self.incoming_of(session).cut()
        if other.connection is self:
            self.outgoing_of(session).finish()
        else:
            self._end()

    def break_off(self) -> None:
        """Both sides lose it at once, with all that is on the wires: a reset, or heartbeats that gave up."""
        if self.over:
            return
        sides = [session for session in (self.server, self.client) if session.connection is self]
        for session in sides:
            self._tell_lost(session)
        self._end()
        for session in sides:
            self._lose(session)

    def _lose(self, session: Session) -> None:
        if session is self.client:
            self.connecter.lost()
        else:
            session.lost()

    def _end(self) -> None:
        self.over = True
        self.up.cut()
        self.down.cut()
        self.listener.connections.pop(self, None)
        self.client.core.context.engine.connections.pop(self, None)

    def _tell_lost(self, session: Session) -> None:
        fd = self.client_fd if session is self.client else self.server_fd
        session.core.monitor.tell(zmq.Event.DISCONNECTED, fd, session.endpoint)

    # -- heartbeats ---------------------------------------------------------------------------------------------------

    def stalled(self) -> None:
        """The link is cut or a side is paused: whoever sends heartbeats gives up after its time-out."""
        for session in (self.client, self.server):
            options = session.options
            interval = int(options.get(int(zmq.HEARTBEAT_IVL)))
            if interval and self.ready:
                timeout = int(options.get(int(zmq.HEARTBEAT_TIMEOUT)))
                limit = interval + (interval if timeout < 0 else timeout)
                session.core.kernel.call_later(limit * 1000, self._give_up, "heartbeat")

    def _give_up(self) -> None:
        fabric = self.client.core.context.engine.fabric
        open_ = all(fabric.is_open(wire.source, wire.target) for wire in (self.up, self.down))
        paused = any(side.core.process.state is ProcessState.PAUSED for side in (self.client, self.server))
        if paused or not open_:
            self.break_off()


def _identify(session: Session, peer: Session) -> None:
    pipe = session.pipe
    if pipe is not None:
        pipe.peer_id = peer.options.get(int(zmq.ROUTING_ID))
        pipe.peer_type = peer.core.type_name
        pipe.peer_metadata = peer.options.metadata
