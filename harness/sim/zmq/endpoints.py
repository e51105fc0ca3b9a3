"""What one socket is bound and connected to, over all transports."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

import zmq

from harness.sim.polling import not_yet
from harness.sim.zmq.channel import Channel
from harness.sim.zmq.connecter import Connecter
from harness.sim.zmq.endpoint import parse_bind, parse_connect
from harness.sim.zmq.failures import failure
from harness.sim.zmq.listener import Listener
from harness.sim.zmq.pipe import InprocCarrier, Pipe

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore
    from harness.sim.zmq.options import Options


class Endpoints:
    """Addresses of one socket, in the order in which they came."""

    def __init__(self, core: SocketCore) -> None:
        self.core = core
        self._listeners: list[Listener] = []
        self._connecters: list[tuple[str, Connecter]] = []
        self._inproc_bound: list[str] = []
        self._inproc: list[tuple[str, Pipe]] = []

    def _describe(self) -> None:
        """Have reports name the addresses as they are now."""
        names = [str(listener.endpoint) for listener in self._listeners] + self._inproc_bound
        names += [address for address, _ in self._connecters] + [address for address, _ in self._inproc]
        self.core.described = f"{self.core.label} ({', '.join(names) or 'not connected'})"

    # -- bind ---------------------------------------------------------------------------------------------------------

    def bind(self, address: str) -> None:
        """Listen. Raises ZMQError."""
        self.core.take_commands()
        core = self.core
        endpoint = parse_bind(address, ipv6=bool(core.options.get(int(zmq.IPV6))))
        if endpoint.transport == "inproc":
            self._bind_inproc(address)
        else:
            listener = Listener(core, endpoint)
            self._listeners.append(listener)
            core.stir()  # libzmq tells the socket that it owns a listener
            address = str(listener.endpoint)
        core.last_endpoint = address.encode()
        self._describe()

    def unbind(self, address: str) -> None:
        """Listen no longer; connections that came that way end. Raises ZMQError (ENOENT)."""
        self.core.take_commands()
        parse_bind(address, ipv6=True)
        if address in self._inproc_bound:
            self._inproc_bound.remove(address)
            del self.core.context.inproc[address]
            return
        for listener in self._listeners:
            if str(listener.endpoint) == address:
                self._listeners.remove(listener)
                listener.close()
                self.core.stir()  # the listener says that it is gone; so does a session
                return
        raise failure(errno.ENOENT)

    def _bind_inproc(self, address: str) -> None:
        core = self.core
        context = core.context
        if address in context.inproc:
            not_yet()  # who tries again and again waits for the name
            raise failure(errno.EADDRINUSE)
        options = core.options.copy()
        context.inproc[address] = (self, options)
        self._inproc_bound.append(address)
        for other, pipe, theirs in context.inproc_waiting.pop(address, []):
            if isinstance(pipe, Pipe) and not pipe.ended:
                core.attach(self._join(options, other, pipe, theirs))
                other.core.identified(pipe)

    # -- connect ------------------------------------------------------------------------------------------------------

    def connect(self, address: str) -> None:
        """Connect, in the background. Raises ZMQError."""
        self.core.take_commands()
        core = self.core
        endpoint = parse_connect(address)
        if endpoint.transport == "inproc":
            self._connect_inproc(address)
        else:
            self._connecters.append((address, Connecter(core, endpoint)))
            core.stir()  # and of a session
        core.last_endpoint = address.encode()
        self._describe()

    def disconnect(self, address: str) -> None:
        """Undo `connect`. Raises ZMQError (ENOENT)."""
        self.core.take_commands()
        with contextlib.suppress(zmq.ZMQError):
            # An address that cannot be connected to was never connected to, except that the transport must exist.
            parse_connect(address)
        linger = self.core.options.get(int(zmq.LINGER))
        for entry in self._connecters:
            if entry[0] == address:
                self._connecters.remove(entry)
                entry[1].stop(linger)
                self.core.stir()
                return
        for found in self._inproc:
            if found[0] == address:
                self._inproc.remove(found)
                found[1].leave(linger)
                return
        _known_transport(address)
        raise failure(errno.ENOENT)

    def _connect_inproc(self, address: str) -> None:
        core = self.core
        bound = core.context.inproc.get(address)
        options = core.options.copy()
        high, low = int(options.get(int(zmq.SNDHWM))), int(options.get(int(zmq.RCVHWM)))
        conflate = bool(options.get(int(zmq.CONFLATE)))
        pipe = Pipe(core, Channel(low, conflate), Channel(high, conflate), local=True)
        pipe.carrier = InprocCarrier(pipe, None)
        pipe.address = address
        self._inproc.append((address, pipe))
        if bound is not None:
            bound[0].core.mail.announce(bound[0]._join(bound[1], self, pipe, options))
        core.attach(pipe)
        if bound is None:
            core.context.inproc_waiting.setdefault(address, []).append((self, pipe, options))

    def _join(self, options: Options, other: Endpoints, theirs: Pipe, their_options: Options) -> Pipe:
        """The other end, here, of the connecting end `theirs`.

        Both sides' options are those of when they were bound and connected.
        """
        core = self.core
        if not theirs.outgoing.conflate:
            theirs.outgoing.boost = int(options.get(int(zmq.RCVHWM)))
            theirs.outgoing.set_high(int(their_options.get(int(zmq.SNDHWM))))
            theirs.incoming.boost = int(their_options.get(int(zmq.RCVHWM)))
            theirs.incoming.set_high(int(options.get(int(zmq.SNDHWM))))
        mine = Pipe(core, theirs.outgoing, theirs.incoming, local=False)
        mine.carrier = InprocCarrier(mine, theirs)
        mine.address = theirs.address
        theirs.carrier = InprocCarrier(theirs, mine)
        mine.peer_id = their_options.get(int(zmq.ROUTING_ID))
        theirs.peer_id = options.get(int(zmq.ROUTING_ID))
        mine.peer_type, theirs.peer_type = other.core.type_name, core.type_name
        return mine

    def forget(self, connecter: Connecter) -> None:
        """This address is given up for good (``RECONNECT_IVL`` of 0 or -1)."""
        self._connecters = [entry for entry in self._connecters if entry[1] is not connecter]

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self, linger: int | None = None) -> None:
        """Close the socket; `linger` in ms overrides its option."""
        core = self.core
        if core.closed:
            return
        if linger is not None:
            core.options.values[int(zmq.LINGER)] = linger
        linger = int(core.options.get(int(zmq.LINGER)))
        core.closed = True
        for address in self._inproc_bound:
            core.context.inproc.pop(address, None)
        for listener in self._listeners:
            listener.stop()
        for _, connecter in self._connecters:
            connecter.stop(linger)
        for pipe in [*core.pipes, *(pipe for pipe in core.mail if not pipe.attached)]:
            pipe.leave(linger)
        for listener in self._listeners:
            listener.drop_abandoned()
        core.monitor.stop()
        if core.doorbell is not None:
            core.doorbell.close()
        core.signal()
        core.context.closed(core)


def _known_transport(address: str) -> None:
    transport = address.partition("://")[0]
    if transport not in ("tcp", "ipc", "inproc"):
        raise failure(zmq.ENOCOMPATPROTO if transport == "udp" else errno.EPROTONOSUPPORT)
