"""Names of hosts: ``getaddrinfo`` with its relatives, for a world of one machine."""

from __future__ import annotations

import socket
from typing import Any, Final

from harness.sim.errors import NotSimulated

REAL_GETADDRINFO: Final = socket.getaddrinfo
_LOCAL: Final = ("localhost", "localhost.localdomain", "ip6-localhost")


def getaddrinfo(
    host: Any,
    port: Any,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[Any]:
    """As `socket.getaddrinfo`, for addresses and names of this machine. Raises gaierror, NotSimulated for others."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (*_LOCAL, socket.gethostname()) and not flags & socket.AI_NUMERICHOST:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        hosts = ["::1", "127.0.0.1"] if name in _LOCAL else ["127.0.0.1"]
        return [entry for one in hosts for entry in _numeric(one, port, family, type, proto, flags)]
    if name is None or name == "" or _is_address(name) or flags & socket.AI_NUMERICHOST:
        return _really(name or None, port, family, type, proto, flags)
    raise NotSimulated(f"looking up the host {name!r} is not simulated: the world has one machine, called localhost")


def _numeric(host: str, port: Any, family: int, kind: int, proto: int, flags: int) -> list[Any]:
    wanted = socket.AF_INET6 if ":" in host else socket.AF_INET
    return [] if family not in (0, wanted) else _really(host, port, wanted, kind, proto, flags)


def _really(host: str | None, port: Any, family: int, kind: int, proto: int, flags: int) -> list[Any]:
    """Numbers need nobody who could be asked: the C library only builds the answer."""
    flags &= ~int(socket.AI_ADDRCONFIG)
    numeric = 0 if host is None else int(socket.AI_NUMERICHOST)
    return REAL_GETADDRINFO(host, port, family, kind, proto, flags | numeric)


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name.partition("%")[0])
        except OSError:
            continue
        return True
    return False


def gethostbyname(hostname: str) -> str:
    """As `socket.gethostbyname`."""
    return str(getaddrinfo(hostname, 0, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """As `socket.gethostbyname_ex`, without other names."""
    return hostname, [], [gethostbyname(hostname)]


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """As `socket.gethostbyaddr`, for addresses of this machine. Raises NotSimulated for others."""
    address = gethostbyname(ip_address) if not _is_address(ip_address) else ip_address
    if address != "::1" and not address.startswith("127."):
        raise NotSimulated(f"looking up the address {address} is not simulated: the world has one machine, localhost")
    return "localhost", [], [address]


def lookup(real: Any) -> Any:
    """What stands for ``_socket.getaddrinfo``, over which `socket.getaddrinfo` lies: it asks nobody else."""

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not flags & socket.AI_NUMERICHOST and not _is_address(name):
            raise NotSimulated(f"_socket.getaddrinfo({name!r}) is not simulated: use socket.getaddrinfo")
        return real(host, port, family, type, proto, flags)

    return getaddrinfo


def getfqdn(name: str = "") -> str:
    """As `socket.getfqdn`: the name itself."""
    return name if name and name not in ("0.0.0.0", "::") else socket.gethostname()


def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """As `socket.getnameinfo`, numeric unless it is the loopback address."""
    host, port = str(sockaddr[0]), str(sockaddr[1])
    if not flags & socket.NI_NUMERICHOST and host in ("127.0.0.1", "::1"):
        host = "localhost"
    return host, port
