"""A bound address: accepts connections."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from harness.sim.zmq.endpoint import Endpoint
from harness.sim.zmq.failures import failure

if TYPE_CHECKING:
    from harness.sim.zmq.connection import Connection
    from harness.sim.zmq.core import SocketCore


class Listener:
    """One address that a socket is bound to.

    :ivar endpoint: the address as bound: port and path are settled.
    :ivar options: those of the socket when it was bound; later changes are none of its connections'.
    :ivar connections: those that came this way and are alive.
    """

    def __init__(self, core: SocketCore, endpoint: Endpoint) -> None:
        self.core = core
        self.options = core.options.copy()
        self._engine = core.context.engine
        self.connections: dict[Connection, None] = {}
        self.open = True
        self.fd = self._engine.descriptor_number()
        self.endpoint = self._take(endpoint)
        core.kernel.record("zmq.bind", core.label, str(self.endpoint))
        core.monitor.tell(zmq.Event.LISTENING, self.fd, str(self.endpoint), by="bind")
        self._engine.fabric.listening(self.endpoint.key)

    def _take(self, endpoint: Endpoint) -> Endpoint:
        if endpoint.transport == "ipc":
            return self._take_path(endpoint)
        try:
            port = self._engine.fabric.ports.bind(endpoint.host, endpoint.port, self)
        except OSError as error:
            monitor = self.core.monitor
            monitor.tell(zmq.Event.CLOSED, self.fd, "", by="bind")
            monitor.tell(zmq.Event.BIND_FAILED, errno.EADDRINUSE, f"{endpoint.place}:{endpoint.port}", by="bind")
            raise failure(error.errno or errno.EADDRINUSE) from None
        return endpoint._replace(port=port)

    def _take_path(self, endpoint: Endpoint) -> Endpoint:
        """A second bind takes the path from the first one without a word, as libzmq does."""
        if endpoint.place == "*":
            endpoint = endpoint._replace(place=f"tmp{self._engine.descriptor_number() % 10**6:06d}/socket")
        elif not endpoint.place.startswith("@"):
            path = Path(endpoint.place)
            if not path.parent.is_dir():
                raise failure(errno.ENOENT, f'No such file or directory for ipc path "{endpoint.place}".')
            path.unlink(missing_ok=True)
            path.touch(0o700)
        self._engine.ipc[endpoint.place] = self
        return endpoint

    def stop(self) -> None:
        """Accept no more; connections that are there stay."""
        engine = self._engine
        self.open = False
        if self.endpoint.transport == "tcp":
            engine.fabric.ports.release(self.endpoint.host, self.endpoint.port, self)
        elif engine.ipc.get(self.endpoint.place) is self:
            del engine.ipc[self.endpoint.place]  # the file stays where it is, as libzmq 4.3.5 lets it
        self.core.monitor.tell(zmq.Event.CLOSED, self.fd, str(self.endpoint))

    def close(self) -> None:
        """Accept no more, and end what came this way."""
        self.stop()
        linger = int(self.core.options.get(int(zmq.LINGER)))
        for connection in list(self.connections):
            pipe = connection.server.pipe
            if pipe is not None:
                pipe.leave(linger)
        self.drop_abandoned()

    def drop_abandoned(self) -> None:
        """End the connections behind which there is no pipe."""
        for connection in list(self.connections):
            if connection.server.pipe is None:
                connection.server.abort()
