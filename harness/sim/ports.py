"""Who listens on which TCP port: one table for ZeroMQ and plain sockets.

Rules as on Linux: port 0 takes a free one of the ephemeral range; a wildcard address collides with every address of
the same port; addresses of 127.0.0.0/8 are different addresses.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from harness.sim.polling import not_yet

WILDCARDS = ("0.0.0.0", "::")
FIRST_EPHEMERAL = 32_768
LAST_EPHEMERAL = 60_999
"""The range of ``net.ipv4.ip_local_port_range`` as Linux sets it."""


class PortTable:
    """Ports in use. `owner` may be anything; whoever connects looks it up.

    >>> ports = PortTable(lambda n: 0)
    >>> ports.bind("127.0.0.1", 0, "me")
    32768
    >>> ports.find("127.0.0.1", 32768)
    'me'
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        """:param choose: gives a number below its argument: where the search for a free port begins."""
        self._choose = choose
        self._taken: dict[int, dict[str, object]] = {}

    def bind(self, host: str, port: int, owner: object) -> int:
        """Take `port` of `host` (an address); 0: any free one. Gives the port. Raises OSError (EADDRINUSE)."""
        if port == 0:
            port = self._free(host)
        elif not self.is_free(host, port):
            not_yet()  # who tries again and again waits for the port
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), f"{host}:{port}")
        self._taken.setdefault(port, {})[host] = owner
        return port

    def is_free(self, host: str, port: int) -> bool:
        """Whether `bind` would succeed."""
        users = self._taken.get(port)
        if not users:
            return True
        return host not in WILDCARDS and host not in users and not any(wildcard in users for wildcard in WILDCARDS)

    def release(self, host: str, port: int, owner: object) -> None:
        """Give the port back; nothing happens unless `owner` has it."""
        users = self._taken.get(port)
        if users and users.get(host) is owner:
            del users[host]
            if not users:
                del self._taken[port]

    def find(self, host: str, port: int) -> object | None:
        """Who accepts connections to this address and port."""
        users = self._taken.get(port)
        if not users:
            return None
        for address in (host, *WILDCARDS):
            if address in users:
                return users[address]
        return None

    def _free(self, host: str) -> int:
        span = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1
        start = self._choose(span)
        for step in range(span):
            port = FIRST_EPHEMERAL + (start + step) % span
            if self.is_free(host, port):
                return port
        raise OSError(errno.EADDRINUSE, "every ephemeral port is in use", host)
