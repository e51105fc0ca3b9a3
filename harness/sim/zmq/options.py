"""Socket options: which exist, what they accept, what they are at first.

Measured against libzmq 4.3.5 option by option, value by value; the conformance tests do it again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import zmq
from zmq.constants import SocketOption as O

from harness.sim.errors import NotSimulated
from harness.sim.zmq.failures import failure


class Option(NamedTuple):
    """Value at first, and what is accepted."""

    default: Any
    accepts: Callable[[Any], bool]


def _at_least(low: int) -> Callable[[int], bool]:
    return lambda value: value >= low


def _between(low: int, high: int) -> Callable[[int], bool]:
    return lambda value: low <= value <= high


def _bytes(low: int, high: int) -> Callable[[bytes], bool]:
    return lambda value: low <= len(value) <= high


def _any(_: object) -> bool:
    return True


def _same(default: int, accepts: Callable[[int], bool], *options: O) -> dict[int, Option]:
    return {int(option): Option(default, accepts) for option in options}


OPTIONS: Final[dict[int, Option]] = {
    **_same(-1, _at_least(-1), O.SNDBUF, O.RCVBUF, O.LINGER, O.RCVTIMEO, O.SNDTIMEO),
    **_same(-1, _at_least(-1), O.TCP_KEEPALIVE_CNT, O.TCP_KEEPALIVE_IDLE, O.TCP_KEEPALIVE_INTVL, O.USE_FD),
    **_same(0, _at_least(0), O.RECONNECT_IVL_MAX, O.TOS, O.HEARTBEAT_IVL, O.CONNECT_TIMEOUT, O.TCP_MAXRT),
    **_same(1000, _at_least(0), O.SNDHWM, O.RCVHWM),
    **_same(0, _between(0, 1), O.IMMEDIATE, O.CONFLATE, O.PLAIN_SERVER, O.CURVE_SERVER),
    **_same(0, _any, O.AFFINITY, O.INVERT_MATCHING, O.ZAP_ENFORCE_DOMAIN, O.LOOPBACK_FASTPATH, O.RECONNECT_STOP),
    O.HEARTBEAT_TTL: Option(0, lambda value: 0 <= int(value / 100) < 65_536),
    O.HEARTBEAT_TIMEOUT: Option(-1, _at_least(0)),
    O.IPV6: Option(0, _between(0, 1)),
    O.IPV4ONLY: Option(1, _between(0, 1)),
    O.MAXMSGSIZE: Option(-1, _any),
    O.MULTICAST_LOOP: Option(1, _any),
    O.RECONNECT_IVL: Option(100, _at_least(-1)),
    O.BACKLOG: Option(100, _at_least(0)),
    O.HANDSHAKE_IVL: Option(30_000, _at_least(0)),
    O.RATE: Option(100, _at_least(1)),
    O.RECOVERY_IVL: Option(10_000, _at_least(0)),
    O.MULTICAST_HOPS: Option(1, _at_least(1)),
    O.MULTICAST_MAXTPDU: Option(1500, _at_least(1)),
    O.TCP_KEEPALIVE: Option(-1, _between(-1, 1)),
    O.ROUTING_ID: Option(b"", _bytes(1, 255)),
    O.PLAIN_USERNAME: Option(b"", _bytes(1, 255)),
    O.PLAIN_PASSWORD: Option(b"", _bytes(1, 255)),
    O.ZAP_DOMAIN: Option(b"", _bytes(1, 255)),
    O.SOCKS_PROXY: Option(b"", _bytes(1, 1 << 30)),
    O.SOCKS_USERNAME: Option(b"", _bytes(0, 255)),
    O.SOCKS_PASSWORD: Option(b"", _bytes(0, 255)),
    O.BINDTODEVICE: Option(b"", _bytes(1, 15)),
}  # fmt: skip

WRITE_ONLY: Final = {int(O.IPC_FILTER_PID), int(O.IPC_FILTER_UID), int(O.IPC_FILTER_GID)}
"""Accepted, of no effect, never given back."""

_TRUTHS: Final = {int(O.ZAP_ENFORCE_DOMAIN), int(O.LOOPBACK_FASTPATH), int(O.MULTICAST_LOOP)}
_SIZE: Final = 255
"""Room that pyzmq has for the value of an option, libzmq's final zero byte included."""

_CURVE_KEYS = (O.CURVE_PUBLICKEY, O.CURVE_SECRETKEY, O.CURVE_SERVERKEY)
_FENCED: Final[dict[int, Callable[[Any], bool]]] = {
    **{int(option): bool for option in (O.PLAIN_SERVER, O.CURVE_SERVER, O.ZAP_DOMAIN, O.SOCKS_PROXY, O.BINDTODEVICE)},
    **{int(option): bool for option in (O.PLAIN_USERNAME, O.PLAIN_PASSWORD, O.RECONNECT_STOP, O.INVERT_MATCHING)},
    **{int(option): lambda value: len(value) in (32, 40, 41) for option in _CURVE_KEYS},
    int(O.USE_FD): lambda value: value >= 0,
    int(O.TCP_ACCEPT_FILTER): bool,
}
"""Options whose effect is not simulated, and the values that would have one."""


class Options:
    """The values of one socket."""

    __slots__ = ("metadata", "values")

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}
        self.metadata: dict[str, str] = {}
        """What ``METADATA`` has given: told to peers, cannot be read back."""

    def copy(self) -> Options:
        """As they are now: what libzmq's ``own_t`` takes along when an address is bound or connected."""
        made = Options()
        made.values.update(self.values)
        made.metadata.update(self.metadata)
        return made

    def get(self, option: int) -> Any:
        """The value. Raises ZMQError (EINVAL) for an option that does not exist or cannot be read."""
        value = self.values.get(option)
        if value is not None:
            if isinstance(value, bytes) and len(value) >= _SIZE and option != O.ROUTING_ID:
                raise failure(errno.EINVAL)
            return value
        known = OPTIONS.get(option)
        if known is None:
            raise failure(errno.EINVAL)
        return known.default

    def set(self, option: int, value: Any) -> None:
        """Change a value. Raises ZMQError (EINVAL) and NotSimulated."""
        fenced = _FENCED.get(option)
        if fenced is not None and fenced(value):
            shown = value if isinstance(value, int) else "…"  # it may be a secret
            raise NotSimulated(
                f"setsockopt({_name(option)}, {shown}) is not simulated: "
                f"leave it out in the simulated world, or run this in the real one"
            )
        if option in WRITE_ONLY:
            return
        if option == O.METADATA:
            self._add_metadata(value)
            return
        known = OPTIONS.get(option)
        if known is None or not known.accepts(value):
            raise failure(errno.EINVAL)
        if option == O.HEARTBEAT_TTL:
            value = int(value / 100) * 100
        elif option in _TRUTHS:
            value = int(value != 0)
        self.values[option] = value
        if option in (O.IPV6, O.IPV4ONLY):
            self.values[int(O.IPV4ONLY if option == O.IPV6 else O.IPV6)] = 1 - value

    def _add_metadata(self, value: bytes) -> None:
        """``X-name:value``; the first value of a name stands."""
        name, separator, text = value.decode("utf-8", "replace").partition(":")
        if not (separator and text and name.startswith("X-") and len(name) < _SIZE):
            raise failure(errno.EINVAL)
        self.metadata.setdefault(name, text)


def _name(option: int) -> str:
    try:
        return zmq.SocketOption(option).name
    except ValueError:
        return str(option)
