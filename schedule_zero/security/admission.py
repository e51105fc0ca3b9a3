"""Which registrations a server takes: who says it, for whom, and where that handler is said to be."""

from __future__ import annotations

import logging
import re
from typing import Any

from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.security.binding import is_loopback
from schedule_zero.security.server_keys import ServerKeys

__all__ = ["Admission", "NotAdmitted", "host_of"]

_ADDRESS = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.%\w]{2,60}\]|[A-Za-z0-9_.-]{1,253}):(?P<port>\d{1,5})")
_log = logging.getLogger(__name__)


class NotAdmitted(ScheduleZeroError):
    """A registration that is not taken, by whoever it is said."""


class Admission:
    """Judges what the registration server is asked.

    Without keys handlers must be on this machine, unless ``insecure``: else anybody who can register could make
    the server connect to any address that it reaches. With keys the server connects to where it is told, and
    calls nobody there who does not hold the handler's key.
    """

    def __init__(self, keys: ServerKeys | None = None, *, insecure: bool = False) -> None:
        self._keys = keys
        self._insecure = insecure

    def check(self, method: str, params: dict[str, Any], peer: str | None) -> None:
        """Raise NotAdmitted unless the peer with this key (Z85; None without CURVE) may ask this."""
        if self._keys is None:
            return
        handler_id = params.get("handler_id")
        if peer is None or not isinstance(handler_id, str) or not self._may_be(self._keys, peer, handler_id):
            raise NotAdmitted(
                f"your key may not speak for handler {handler_id!r:.80}: on the server, `schedule-zero keys allow`"
            )
        if method == "register":
            self._keys.note(handler_id, peer)

    @staticmethod
    def _may_be(keys: ServerKeys, peer: str, handler_id: str) -> bool:
        try:
            return keys.may_be(peer, handler_id)
        except ConfigError as error:
            _log.error("nobody is admitted: %s", error)
            raise NotAdmitted("the server cannot read its allowed keys") from error

    def check_address(self, address: str) -> None:
        """Raise NotAdmitted for an address that is not ``tcp://host:port``, or not safe to connect to."""
        host = host_of(address)
        if self._keys is None and not self._insecure and not is_loopback(host):
            raise NotAdmitted(
                f"address {address!r:.300} is beyond loopback, and nothing proves who is there: use CURVE keys "
                "(security.keys), or --insecure where the network is trusted"
            )


def host_of(address: str) -> str:
    """The host in ``tcp://host:port``. Raises NotAdmitted for anything else: other transports, port 0, paths.

    >>> host_of("tcp://192.0.2.7:5555")
    '192.0.2.7'
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise NotAdmitted(f"address: expected tcp://host:port, found {address!r:.300}")
    return match["host"]
