"""Requests that a browser was talked into: told by the headers that a page cannot forge.

Any page can make a browser on this machine post to loopback. Such a request carries ``Origin`` and, from newer
browsers, ``Sec-Fetch-Site``; a page whose own name was made to mean 127.0.0.1 (DNS rebinding) passes both, and gives
itself away by ``Host``.
"""

from __future__ import annotations

import ipaddress
import platform
from collections.abc import Mapping
from urllib.parse import urlsplit

from schedule_zero.security.binding import is_loopback

__all__ = ["SAFE_VERBS", "Hosts", "foreign_origin"]

SAFE_VERBS = ("GET", "HEAD", "OPTIONS")
"""Verbs that change nothing."""


class Hosts:
    """The names under which a server may be called: addresses, ``localhost``, and those that are configured.

    An address is always one of ours: no page can be served under it from elsewhere.

    >>> hosts = Hosts("127.0.0.1", ("jobs.example.org",))
    >>> [hosts.has(name) for name in ("127.0.0.1:8888", "localhost", "Jobs.example.org:443", "evil.example")]
    [True, True, True, False]
    """

    def __init__(self, listen: str, more: tuple[str, ...] = ()) -> None:
        self._any = "*" in more
        self._names = {"localhost", listen.lower(), *(name.lower() for name in more)}
        if not is_loopback(listen):
            self._names.add(platform.node().lower())

    def has(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = _name(host)
        return self._any or name in self._names or _is_address(name)


def foreign_origin(verb: str, headers: Mapping[str, str], host: str, *, by_cookie: bool = False) -> str:
    """Why a request must have been sent by another site's page; empty when it was not.

    A request that is authenticated ``by_cookie``, which a browser adds to what any page sends, must also show where
    it comes from.
    """
    if verb in SAFE_VERBS:
        return ""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        return f"Sec-Fetch-Site is {site[:40]!r}"
    if origin is not None and _authority(origin) != host.lower():
        return f"Origin is {origin[:80]!r}, and this is {host[:80]!r}"
    if by_cookie and site is None and origin is None:
        return "neither Origin nor Sec-Fetch-Site says where it comes from"
    return ""


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    """A Host header without its port."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
