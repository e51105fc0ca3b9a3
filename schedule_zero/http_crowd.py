"""Places for HTTP connections, shared fairly: who is silent gives way to who comes."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from typing import Protocol

__all__ = ["Connection", "Crowd"]

_log = logging.getLogger(__name__)

#: Seconds from one warning to the next at least.
_QUIET = 30.0


class Connection(Protocol):
    """What is known of a connection: tornado's ``IOStream`` is one."""

    def close(self) -> None:
        """Close it."""

    def writing(self) -> bool:
        """Whether something was sent that the peer has not taken yet."""


class _Place:
    __slots__ = ("host", "waited_for")

    def __init__(self, host: str) -> None:
        self.host = host
        self.waited_for = True


class Crowd:
    """At most `most` connections at a time; of those an address has half at most, this machine's own three quarters.

    A newcomer without a place takes the one of the connection that has been silent for the longest time, of those
    that the server waits for: for a request, or the rest of one, or that its answer be read. It is one of the
    newcomer's own address if that has its share already. When there is none, the newcomer is refused.

    Example::

        crowd = Crowd(512)
        if crowd.enter(stream, "192.0.2.7"):  # False: closed already
            crowd.served(stream)  # its request is there
            crowd.silent(stream)  # it was answered: the next one is waited for
            crowd.left(stream)
    """

    def __init__(self, most: int) -> None:
        self.most = most
        #: Connections that found no place.
        self.refused = 0
        #: Connections that were closed for a newcomer.
        self.displaced = 0
        #: The one that has been still for the longest time comes first.
        self._places: dict[Connection, _Place] = {}
        self._hosts: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._told = (0, 0)

    @property
    def open(self) -> int:
        """Connections at this moment."""
        return len(self._places)

    @property
    def idle(self) -> int:
        """Those of them that the server waits for."""
        return sum(place.waited_for for place in list(self._places.values()))

    def share_of(self, address: str) -> int:
        """How many connections an address may have at a time.

        >>> Crowd(512).share_of("192.0.2.7"), Crowd(512).share_of("127.0.0.1")
        (256, 384)
        """
        return max(1, self.most - self.most // 4 if _is_loopback(address) else self.most // 2)

    def enter(self, connection: Connection, address: str) -> bool:
        """Give a new connection a place, or close it and return False."""
        host = _host(address)
        if self._hosts[host] >= self.share_of(address):
            found = self._make_room(host)
        else:
            found = self.open < self.most or self._make_room(None)
        if found:
            self._places[connection] = _Place(host)
            self._hosts[host] += 1
        else:
            self.refused += 1
            connection.close()
            self._tell(address)
        return found

    def silent(self, connection: Connection) -> None:
        """From now on the server waits for the peer; also to be told of every sign of life."""
        self._moved(connection, True)

    def served(self, connection: Connection) -> None:
        """From now on the peer waits for the server: it does not have to give way."""
        self._moved(connection, False)

    def left(self, connection: Connection) -> None:
        """The connection is closed; may be told twice."""
        place = self._places.pop(connection, None)
        if place is not None:
            self._hosts[place.host] -= 1
            if not self._hosts[place.host]:
                del self._hosts[place.host]

    def _gives_way(self, host: str | None) -> Connection | None:
        """The connection that would give way to a newcomer, of `host` or of all; None when there is none."""
        for connection, place in self._places.items():
            if host in (None, place.host) and (place.waited_for or connection.writing()):
                return connection
        return None

    def _moved(self, connection: Connection, waited_for: bool) -> None:
        place = self._places.pop(connection, None)
        if place is not None:
            place.waited_for = waited_for
            self._places[connection] = place

    def _make_room(self, host: str | None) -> bool:
        connection = self._gives_way(host)
        if connection is None:
            return False
        host = self._places[connection].host
        self.left(connection)
        self.displaced += 1
        connection.close()
        self._tell(host)
        return True

    def _tell(self, address: str) -> None:
        now = time.monotonic()
        if now < self._told_at + _QUIET:
            return
        refused, displaced = self.refused - self._told[0], self.displaced - self._told[1]
        self._told_at, self._told = now, (self.refused, self.displaced)
        _log.warning(
            "too many HTTP connections: %d open of %d, %d of them from %s which may have %d; since this was last told"
            " %d were refused and %d silent ones closed to make room",
            self.open,
            self.most,
            self._hosts[_host(address)],
            address,
            self.share_of(address),
            refused,
            displaced,
        )


def _host(address: str) -> str:
    """What counts as one address: an IPv6 host has a whole network of 64 bits to itself."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.version == 6 and not ip.is_loopback:
        return str(ipaddress.IPv6Network((ip, 64), strict=False).network_address)
    return str(ip)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
