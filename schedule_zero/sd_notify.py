"""What a service tells systemd of itself: the protocol of sd_notify(3), without libsystemd.

systemd names a UNIX datagram socket in ``NOTIFY_SOCKET``; a service started with ``Type=notify`` sends it lines such as
``READY=1``. Without that variable (no systemd, another type) nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]

_log = logging.getLogger(__name__)


class Notifier:
    """Tells systemd. A message that cannot be sent is logged and never raises: the service goes on without.

    ``address`` is a path, ``@name`` (an abstract socket), or None; ``watchdog`` the seconds within which systemd wants
    to hear of us again and again, None when it does not.

    >>> Notifier(None).ready("up")
    False
    """

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        self.address = address
        self.watchdog = watchdog

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Notifier:
        """What systemd has told this process: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC``, ``WATCHDOG_PID``."""
        settings = os.environ if env is None else env
        address = settings.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            _log.warning("NOTIFY_SOCKET=%s: only paths and abstract names are known, so nobody is told", address)
            address = None
        return cls(address, _watchdog(settings) if address else None)

    def ready(self, status: str = "") -> bool:
        """Started: systemd starts what waits for us."""
        return self._send("READY=1", status)

    def stopping(self, status: str = "") -> bool:
        """Going down."""
        return self._send("STOPPING=1", status)

    def alive(self) -> bool:
        """Well at this moment."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """What ``systemctl status`` shows."""
        return self._send("", text)

    def _send(self, line: str, status: str = "") -> bool:
        """Send a state, a status or both; whether it was sent."""
        if self.address is None:
            return False
        said = f"STATUS={' '.join(status.split())}" if status else ""
        # A leading @ stands for the zero byte of an abstract name (unix(7)).
        target = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(filter(None, [line, said])).encode(), target)
        except OSError as error:
            _log.warning("systemd cannot be told %s: %s", line or said, error)
            return False
        return True


def _watchdog(env: Mapping[str, str]) -> float | None:
    """Seconds of the watchdog; None when it is not meant for this process, or is no number."""
    meant_for, usec = env.get("WATCHDOG_PID"), env.get("WATCHDOG_USEC", "")
    if (meant_for and meant_for != str(os.getpid())) or not usec.isdigit() or int(usec) == 0:
        return None
    return int(usec) / 1e6
