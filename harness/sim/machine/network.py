"""The network inside the machine: how stream sockets find each other."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from harness.sim.errors import NotSimulated
from harness.sim.machine.descriptors import failure, would_block
from harness.sim.machine.ports import BoundPorts
from harness.sim.machine.roads import StreamRoad
from harness.sim.machine.streams import GIVE_UP, RETRY, Endpoint, State
from harness.sim.ports import WILDCARDS

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_PATH_LIMIT = 108


class Network:
    """Addresses, listeners and new connections of one machine."""

    inet = int(socket.AF_INET)

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.kernel = machine.kernel
        self.ports = BoundPorts(machine.kernel, lambda: machine.fabric.ports)
        self._unix: dict[tuple[int, int], Endpoint] = {}

    def endpoint(self, kind: str, family: int) -> Endpoint:
        """A new socket of the calling process."""
        return Endpoint(self, kind, family, self.kernel.current_process.name)

    # -- addresses

    def bind(self, endpoint: Endpoint, address: Any) -> None:
        """Give it an address. Raises OSError (EADDRINUSE, EINVAL, EADDRNOTAVAIL)."""
        if endpoint.bound:
            raise failure(errno.EINVAL)
        if endpoint.kind == "unix":
            self._bind_unix(endpoint, address)
        else:
            host, port = self.resolve(endpoint, address)
            endpoint.port = self.ports.bind(endpoint, host, port)
            endpoint.host = host
        endpoint.bound = True

    def resolve(self, endpoint: Endpoint, address: Any) -> tuple[str, int]:
        """Host and port of a socket address, which must be of this machine."""
        if not isinstance(address, tuple) or len(address) < 2:
            raise TypeError(f"AF_INET address must be tuple, not {type(address).__name__}")
        host, port = address[0], address[1]
        if not isinstance(port, int):
            raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
        if not 0 <= port <= 65_535:
            raise OverflowError("port must be 0-65535.")
        four = endpoint.family == self.inet
        if host in ("", "0.0.0.0" if four else "::"):
            return ("0.0.0.0" if four else "::"), port
        if host in ("localhost", "ip6-localhost", socket.gethostname()):
            return ("127.0.0.1" if four else "::1"), port
        if (four and host.startswith("127.")) or (not four and host == "::1"):
            return host, port
        raise NotSimulated(
            f"the address {host!r} is not simulated: the world has one machine, reached as 127.0.0.1, ::1 or localhost"
        )

    def _bind_unix(self, endpoint: Endpoint, address: Any) -> None:
        path = os.fsdecode(address)
        if path.startswith("\0") or not path:
            raise NotSimulated("abstract and unnamed UNIX addresses are not simulated: bind to a path")
        if len(os.fsencode(path)) >= _PATH_LIMIT:
            raise OSError("AF_UNIX path too long")
        try:
            # A real file stands for the name, so that it can be seen, renamed and removed.
            number = self.machine.real_open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o755)
        except FileExistsError:
            raise failure(errno.EADDRINUSE) from None
        status = os.fstat(number)
        self.machine.real_close(number)
        self._unix[status.st_dev, status.st_ino] = endpoint
        endpoint.path = path

    def listen(self, endpoint: Endpoint, backlog: int) -> None:
        """Accept connections. Raises OSError (EADDRINUSE, EINVAL)."""
        if endpoint.state not in (State.NEW, State.LISTENING):
            raise failure(errno.EINVAL)
        if not endpoint.bound:
            if endpoint.kind == "unix":
                raise failure(errno.EINVAL)
            self.bind(endpoint, ("", 0))
        endpoint.backlog = max(0, min(backlog, 4096))
        if endpoint.state is State.NEW:
            if endpoint.kind == "tcp":
                self.ports.listen(endpoint)
            endpoint.state = State.LISTENING

    def stopped_listening(self, endpoint: Endpoint) -> None:
        """Its address is free again."""
        if endpoint.kind == "tcp":
            self.ports.release(endpoint, lingering=False)
            endpoint.bound = False

    def closed(self, endpoint: Endpoint, *, lingering: bool) -> None:
        """An endpoint has ended."""
        if endpoint.kind == "tcp" and endpoint.bound:
            self.ports.release(endpoint, lingering=lingering)
        elif lingering:
            self.ports.linger(endpoint.port)

    # -- connections

    def connect(self, endpoint: Endpoint, address: Any) -> bool:
        """Begin to connect; True when that is done already. Raises OSError."""
        if endpoint.state is State.CONNECTING:
            raise would_block(errno.EALREADY)
        if endpoint.state is State.CONNECTED:
            raise failure(errno.EISCONN)
        if endpoint.state is State.LISTENING:
            raise failure(errno.EINVAL)
        if endpoint.kind == "unix":
            return self._connect_unix(endpoint, address)
        host, port = self.resolve(endpoint, address)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        if not endpoint.bound:
            endpoint.port = self.ports.bind(endpoint, "127.0.0.1" if endpoint.family == self.inet else "::1", 0)
            endpoint.bound = True
        if not endpoint.host or endpoint.host in WILDCARDS:
            endpoint.host = "127.0.0.1" if endpoint.family == self.inet else "::1"
        endpoint.peer_name = (host, port) if endpoint.family == self.inet else (host, port, 0, 0)
        endpoint.state = State.CONNECTING
        endpoint.error = 0
        self._request(endpoint, host, port, RETRY)
        endpoint.be_patient(self.kernel.call_later(GIVE_UP, lambda: endpoint.fail(errno.ETIMEDOUT)))
        return False

    def _request(self, endpoint: Endpoint, host: str, port: int, retry: int) -> None:
        """Send the request for a connection (SYN)."""
        listener = self.ports.find(host, port)
        owner = listener.owner if isinstance(listener, Endpoint) else self.machine.owner_name(listener)
        road = StreamRoad(self.machine.fabric, endpoint.owner, owner or endpoint.owner)
        road.send(lambda: self._requested(endpoint, host, port, road, retry))

    def _requested(self, endpoint: Endpoint, host: str, port: int, road: StreamRoad, retry: int) -> None:
        """The request has arrived."""
        if endpoint.dead or endpoint.state is not State.CONNECTING:
            return
        listener = self.ports.find(host, port)
        back = StreamRoad(self.machine.fabric, road.target, road.source)
        if listener is None:
            back.send(endpoint.was_reset)
        elif not isinstance(listener, Endpoint):
            # A socket of ZeroMQ: it accepts, and waits for a greeting that never comes.
            endpoint.road = road
            back.send(endpoint.established)
        elif len(listener.queue) > listener.backlog:
            self.kernel.call_later(retry, lambda: self._request_again(endpoint, host, port, retry))
        else:
            accepted = self._accepted(listener, endpoint, road, back)
            accepted.host, accepted.port = host, port
            back.send(endpoint.established)
            listener.queue.append(accepted)
            listener.became_readable()

    def _request_again(self, endpoint: Endpoint, host: str, port: int, retry: int) -> None:
        if endpoint.state is State.CONNECTING and not endpoint.dead:
            self._request(endpoint, host, port, retry * 2)

    def _accepted(
        self, listener: Endpoint, client: Endpoint, road: StreamRoad | None, back: StreamRoad | None
    ) -> Endpoint:
        """The listener's end of a new connection."""
        made = Endpoint(self, listener.kind, listener.family, listener.owner)
        made.state = State.CONNECTED
        made.peer, client.peer = client, made
        made.road, client.road = back, road
        made.peer_name, made.path = client.name, listener.path
        made.credentials = client.credentials
        return made

    def _connect_unix(self, endpoint: Endpoint, address: Any) -> bool:
        path = os.fsdecode(address)
        status = os.stat(path)  # noqa: PTH116 - raises what connect raises: no such file
        listener = self._unix.get((status.st_dev, status.st_ino))
        if listener is None or listener.dead or not listener.listening:
            raise failure(errno.ECONNREFUSED)
        if len(listener.queue) > listener.backlog:
            raise would_block()
        endpoint.peer_name = path
        self.pair_up(endpoint, self._accepted(listener, endpoint, None, None))
        assert endpoint.peer is not None
        listener.queue.append(endpoint.peer)
        listener.became_readable()
        return True

    def pair_up(self, one: Endpoint, other: Endpoint) -> None:
        """Connect two UNIX sockets."""
        one.peer, other.peer = other, one
        one.state = other.state = State.CONNECTED
        me = self.kernel.current_process.pid
        other.credentials = (me, os.getuid(), os.getgid())
        one.credentials = one.credentials if one.credentials[0] else other.credentials
