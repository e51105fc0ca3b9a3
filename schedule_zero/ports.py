"""A port that stays ours while nobody listens on it.

The governor must know its children's ports before they run, and they must find them free after every restart. A
socket that is bound and does not listen does both: the system gives its port to nobody who asks for "any
port", and whoever sets ``SO_REUSEADDR`` (libzmq and Tornado do, on POSIX) can still bind it by number (Linux,
socket(7)).

>>> with reserve_port() as reservation:
...     0 < reservation.port < 65536
True
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

__all__ = ["PortReservation", "reachable", "reserve_port"]


class PortReservation:
    """A port held until :meth:`release`; releasing twice is harmless."""

    def __init__(self, holder: socket.socket) -> None:
        self._holder = holder
        self.port: int = holder.getsockname()[1]

    def release(self) -> None:
        """Give the port back to the system."""
        self._holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def reserve_port(host: str = "127.0.0.1") -> PortReservation:
    """Reserve a free TCP port of ``host``. Raises OSError when the host is not an address of this machine."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    holder = socket.socket(family, kind, protocol)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(address)
    except BaseException:
        holder.close()
        raise
    return PortReservation(holder)


def reachable(host: str) -> str:
    """The host under which a listener on ``host`` is reached from this machine: loopback for a wildcard.

    >>> reachable("0.0.0.0"), reachable("192.0.2.1")
    ('127.0.0.1', '192.0.2.1')
    """
    return {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "[::1]"}.get(host, host)
