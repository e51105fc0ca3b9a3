"""Options of simulated sockets."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

from harness.sim.errors import NotSimulated
from harness.sim.machine.streams import Endpoint

_SOCKET: Final = int(socket.SOL_SOCKET)
_INERT: Final = frozenset(
    getattr(socket, name)
    for name in ("SO_KEEPALIVE", "SO_BROADCAST", "SO_OOBINLINE", "SO_PRIORITY", "SO_PASSCRED", "SO_RCVBUF")
    if hasattr(socket, name)
)
"""Options that are kept and change nothing; besides all of TCP's and IP's."""
_LEVELS: Final = frozenset({_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6})
_REUSE_PORT: Final = getattr(socket, "SO_REUSEPORT", -1)
_SMALLEST_BUFFER: Final = 4608
"""Bytes (socket(7), SO_SNDBUF on Linux)."""

Kept = dict[tuple[int, int], Any]


def get(endpoint: Endpoint, kept: Kept, level: int, option: int, size: int) -> Any:
    """What an option is: an int, or bytes when `size` is not 0. Raises NotSimulated for unknown ones."""
    if level == _SOCKET and option == getattr(socket, "SO_PEERCRED", -1):
        return struct.pack("3i", *endpoint.credentials)
    value = _told(endpoint, level, option)
    if value is None:
        _require_known(level, option)
        value = kept.get((level, option), 0)
    return struct.pack("i", value)[:size] if size and isinstance(value, int) else value


def _told(endpoint: Endpoint, level: int, option: int) -> int | None:
    if level != _SOCKET:
        return None
    if option == socket.SO_ERROR:
        return endpoint.take_error()
    known = {
        int(socket.SO_TYPE): int(socket.SOCK_STREAM),
        int(socket.SO_REUSEADDR): int(endpoint.reuse),
        int(socket.SO_ACCEPTCONN): int(endpoint.listening),
        int(socket.SO_SNDBUF): endpoint.capacity,
        getattr(socket, "SO_DOMAIN", -2): endpoint.family,
        getattr(socket, "SO_PROTOCOL", -3): socket.IPPROTO_TCP if endpoint.kind == "tcp" else 0,
        _REUSE_PORT: int(endpoint.reuse_port),
    }
    return known.get(option)


def put(endpoint: Endpoint, kept: Kept, level: int, option: int, value: Any) -> None:
    """Heed SO_REUSEADDR, SO_REUSEPORT, SO_LINGER, SO_SNDBUF; keep others. Raises NotSimulated for unknown ones."""
    if level == _SOCKET and option == socket.SO_REUSEADDR:
        endpoint.reuse = bool(value)
    elif level == _SOCKET and option == _REUSE_PORT:
        endpoint.reuse_port = bool(value)
    elif level == _SOCKET and option == socket.SO_LINGER:
        on, seconds = struct.unpack("ii", value)
        endpoint.abortive = bool(on) and seconds == 0
    elif level == _SOCKET and option == socket.SO_SNDBUF:
        endpoint.capacity = max(_SMALLEST_BUFFER, 2 * int(value))
    else:
        _require_known(level, option)
        kept[level, option] = value


def _require_known(level: int, option: int) -> None:
    if level not in _LEVELS or (level == _SOCKET and option not in _INERT):
        raise NotSimulated(f"socket option {option} of level {level} is not simulated")
