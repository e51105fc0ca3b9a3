"""Where it is safe to listen: on loopback always, beyond it with keys.

>>> check_zmq_binding("127.0.0.1", keyed=False)
>>> check_zmq_binding("0.0.0.0", keyed=False)
Traceback (most recent call last):
schedule_zero.errors.ConfigError: zmq host '0.0.0.0' can be reached from other machines, ...
"""

from __future__ import annotations

import ipaddress

from schedule_zero.errors import ConfigError

__all__ = ["check_handler_binding", "check_http_binding", "check_zmq_binding", "is_loopback"]

_KEYS = "make CURVE keys (schedule-zero keys make HANDLER...)"
_TOKENS = "make a token (schedule-zero tokens add NAME --scope admin)"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on ``host``, an address or ``localhost``.

    Any other name counts as reachable: what it means is decided by a name server, at another time.

    >>> [is_loopback(host) for host in ("127.0.0.9", "::1", "localhost", "0.0.0.0", "*", "db", "::ffff:127.0.0.1")]
    [True, True, True, False, False, False, True]
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def check_http_binding(host: str, *, tokens: bool, insecure: bool = False) -> None:
    """Raise ConfigError when HTTP would listen beyond loopback and ask for no token."""
    _check("http", host, tokens or insecure, _TOKENS, "security.tokens", "SCHEDULEZERO_TOKENS_PATH")


def check_zmq_binding(host: str, *, keyed: bool, insecure: bool = False) -> None:
    """Raise ConfigError when handlers could register from beyond loopback without a key."""
    _check("zmq", host, keyed or insecure, _KEYS, "security.keys", "SCHEDULEZERO_KEYS_PATH")


def check_handler_binding(host: str, *, keyed: bool, insecure: bool = False) -> None:
    """Raise ConfigError when a handler would take calls from beyond loopback without a key."""
    _check("handler", host, keyed or insecure, _KEYS, "--keys", "SCHEDULEZERO_KEYS_PATH")


def _check(what: str, host: str, guarded: bool, make: str, setting: str, variable: str) -> None:
    if guarded or is_loopback(host):
        return
    raise ConfigError(
        f"{what} host {host!r} can be reached from other machines, and nothing would keep them out: {make} "
        f"and name them with {setting} (or {variable}); or listen on 127.0.0.1; or, where the network "
        "itself is trusted, say --insecure (security.insecure: true, SCHEDULEZERO_INSECURE=true)"
    )
