"""Addresses: what ``bind`` and ``connect`` accept, and what comes of it.

As libzmq 4.3.5 does (measured): ports go through ``atoi`` and are cut to 16 bits, names of hosts are resolved when
connecting, wildcards are for binding only.
"""

from __future__ import annotations

import errno
import ipaddress
import re
from typing import NamedTuple

import zmq

from harness.sim.zmq.failures import failure

_DGRAM = ("udp",)
_HOSTNAME = re.compile(r"[A-Za-z0-9._\-\[\]:%]+")
_LOCAL = {"localhost": "127.0.0.1", "lo": "127.0.0.1", "*": "0.0.0.0"}
_LOCAL_6 = {"localhost": "127.0.0.1", "lo": "::1", "*": "::"}
_MAPPED = "::ffff:"
"""What stands before an IPv4 address that a socket with ``IPV6`` is bound to."""


class Endpoint(NamedTuple):
    """A parsed address. `place` is an IP address, a path or an inproc name; `port` is 0 except for TCP."""

    transport: str
    place: str
    port: int

    def __str__(self) -> str:
        if self.transport != "tcp":
            return f"{self.transport}://{self.place}"
        return f"tcp://[{self.place}]:{self.port}" if ":" in self.place else f"tcp://{self.place}:{self.port}"

    @property
    def host(self) -> str:
        """The IP address, as the table of ports knows it."""
        return self.place.removeprefix(_MAPPED)

    @property
    def key(self) -> str:
        """What connecters that wait for a listener share with it: the port, or the path."""
        return f"tcp:{self.port}" if self.transport == "tcp" else f"{self.transport}:{self.place}"


def parse_bind(address: str, *, ipv6: bool = False) -> Endpoint:
    """The endpoint to bind; port 0: any free one. With `ipv6` IPv4 addresses are mapped ones. Raises ZMQError."""
    transport, place = _split(address)
    if transport != "tcp":
        return Endpoint(transport, place, 0)
    host, port = _host_port(place)
    host = (_LOCAL_6 if ipv6 else _LOCAL).get(host, host)
    return Endpoint("tcp", _own_address(host, ipv6), 0 if port in ("*", "0") else _port(port))


def parse_connect(address: str) -> Endpoint:
    """The endpoint to connect to. Raises ZMQError."""
    transport, place = _split(address)
    if transport != "tcp":
        return Endpoint(transport, place, 0)
    host, port = _host_port(place.rpartition(";")[2])
    if host == "*" or not _HOSTNAME.fullmatch(host):
        raise failure(errno.EINVAL)
    return Endpoint("tcp", _LOCAL.get(host, host), 0 if port == "0" else _port(port))


def _split(address: str) -> tuple[str, str]:
    transport, separator, place = address.partition("://")
    if not separator or not place or not transport:
        raise failure(errno.EINVAL)
    if transport in _DGRAM:
        raise failure(zmq.ENOCOMPATPROTO)
    if transport not in ("tcp", "ipc", "inproc"):
        raise failure(errno.EPROTONOSUPPORT)
    return transport, place


def _host_port(place: str) -> tuple[str, str]:
    host, separator, port = place.rpartition(":")
    if not separator or not host:
        raise failure(errno.EINVAL)
    return host.removeprefix("[").removesuffix("]"), port


def _port(text: str) -> int:
    digits = re.match(r"\s*[+-]?\d+", text)
    port = int(digits.group()) & 0xFFFF if digits else 0
    if port == 0:
        raise failure(errno.EINVAL)
    return port


def _own_address(host: str, ipv6: bool) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise failure(errno.ENODEV) from None
    if address.version == 6 and not ipv6:
        raise failure(errno.ENODEV)
    if not (address.is_loopback or address.is_unspecified):
        raise failure(errno.EADDRNOTAVAIL)
    return f"{_MAPPED}{address}" if ipv6 and address.version == 4 else str(address)
