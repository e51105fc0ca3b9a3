"""Which TCP address is taken by which socket: the rules of Linux, TIME_WAIT included (socket(7)).

Listeners stand in the fabric's table, where ZeroMQ's stand too. Sockets that are bound and do not listen are known here
only: two of them may share a port when both say ``SO_REUSEADDR``, which is how a port is reserved.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.machine.descriptors import failure
from harness.sim.polling import not_yet
from harness.sim.ports import WILDCARDS

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.machine.streams import Endpoint

TIME_WAIT: Final = 60_000_000
"""Microseconds for which Linux keeps the port of the side that closed first."""


class BoundPorts:
    """Stream sockets by port. `table` answers the fabric's `PortTable`."""

    def __init__(self, kernel: Kernel, table: Callable[[], Any]) -> None:
        self._kernel = kernel
        self._table = table
        self._bound: dict[int, list[Endpoint]] = {}
        self._waiting: dict[int, int] = {}

    def bind(self, endpoint: Endpoint, host: str, port: int) -> int:
        """Take a port, 0: any free one. Raises OSError (EADDRINUSE)."""
        table = self._table()
        if port == 0:
            port = self._free(host, endpoint)
        else:
            self._require(table, endpoint, host, port)
        self._bound.setdefault(port, []).append(endpoint)
        return port

    def _free(self, host: str, endpoint: Endpoint) -> int:
        table, skipped = self._table(), []
        try:
            while True:
                port: int = table.bind(host, 0, endpoint)
                skipped.append(port)
                if port not in self._bound:
                    return port
        finally:
            for port in skipped:
                table.release(host, port, endpoint)

    def _require(self, table: Any, endpoint: Endpoint, host: str, port: int) -> None:
        others = [other for other in self._bound.get(port, ()) if _overlap(host, other.host)]
        if (
            any(not _may_share(endpoint, other) for other in others)
            or (not endpoint.reuse and self._waiting.get(port, 0) > self._kernel.now)
            or not (table.is_free(host, port) or self._shared(endpoint, host, port))
        ):
            not_yet()  # who tries again and again waits for the port
            raise failure(errno.EADDRINUSE)

    def _shared(self, endpoint: Endpoint, host: str, port: int) -> bool:
        """Whether who listens there is one of ours that shares the port (SO_REUSEPORT)."""
        return endpoint.reuse_port and any(
            other.listening and other.reuse_port and _overlap(host, other.host) for other in self._bound.get(port, ())
        )

    def listen(self, endpoint: Endpoint) -> None:
        """Let others find it. Raises OSError (EADDRINUSE) when somebody listens on the same port."""
        host, port = endpoint.host, endpoint.port
        if not self._shared(endpoint, host, port):
            try:
                self._table().bind(host, port, endpoint)
            except OSError:
                raise failure(errno.EADDRINUSE) from None

    def is_reserved(self, port: int) -> bool:
        """Whether a socket is bound to it, listening or not."""
        return port in self._bound

    def release(self, endpoint: Endpoint, *, lingering: bool) -> None:
        """Give the port back; `lingering`: into TIME_WAIT."""
        port, others = endpoint.port, self._bound.get(endpoint.port, [])
        if endpoint in others:
            others.remove(endpoint)
            if not others:
                del self._bound[port]
        if endpoint.listening:
            self._table().release(endpoint.host, port, endpoint)
            heir = next((other for other in others if other.listening), None)
            if heir is not None:
                self._table().bind(heir.host, port, heir)
        if lingering:
            self.linger(port)

    def linger(self, port: int) -> None:
        """A connection of this port was closed from this side first."""
        self._waiting[port] = self._kernel.now + TIME_WAIT

    def find(self, host: str, port: int) -> Any:
        """Who accepts connections there: an `Endpoint`, a socket of ZeroMQ, or None."""
        return self._table().find(host, port)


def _overlap(one: str, other: str) -> bool:
    return one == other or one in WILDCARDS or other in WILDCARDS


def _may_share(one: Endpoint, other: Endpoint) -> bool:
    if one.reuse_port and other.reuse_port:
        return True
    return one.reuse and other.reuse and not other.listening
