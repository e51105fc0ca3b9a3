"""What a server (or its governor) knows of keys: its own pair, who may come, how each handler is recognised."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from schedule_zero.errors import ConfigError, HandlerUnavailable
from schedule_zero.security.allowed_keys import AllowedKeys
from schedule_zero.security.curve import Curve, HandlerKeys
from schedule_zero.security.key_files import SERVER, read_pair, read_public
from schedule_zero.security.settings import SecuritySettings

__all__ = ["Peers", "ServerKeys", "handler_keys", "handler_options", "server_keys"]


class ServerKeys:
    """The keys in a server's folder. For any number of threads.

    Raises ConfigError when there is no server pair, or others may read it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = read_pair(folder, SERVER)
        self.allowed = AllowedKeys(folder)
        self.allowed.all()
        self._lock = threading.Lock()
        self._shown: dict[str, str] = {}

    def accepts(self, public: str) -> bool:
        """Whether a peer with this key may connect to the registration: handlers that are allowed, and whoever
        has the server's own pair, which is the governor that asks how it is.
        """
        with self._lock:
            return public == self.own.public or self.allowed.is_allowed(public)

    def may_be(self, public: str | None, handler_id: str) -> bool:
        """Whether a peer with this key may speak for a handler, now: a key that was revoked may not."""
        with self._lock:
            return public is not None and self.allowed.may_be(public, handler_id)

    def note(self, handler_id: str, public: str) -> None:
        """Remember under which of its keys a handler registered: it answers calls under the same."""
        with self._lock:
            self._shown[handler_id] = public

    def to_handler(self, handler_id: str) -> Curve:
        """For a client of this handler, which must prove to be it. Raises HandlerUnavailable without a key."""
        with self._lock:
            try:
                keys = self.allowed.keys_of(handler_id)
            except ConfigError as error:
                raise HandlerUnavailable(f"the allowed keys cannot be read: {error}") from error
            shown = self._shown.get(handler_id)
        if not keys:
            raise HandlerUnavailable(f"handler {handler_id!r} has no key that is allowed")
        return Curve(self.own, shown if shown in keys else keys[-1])

    def to_server(self) -> Curve:
        """For the governor as a client of the registration."""
        return Curve(self.own, self.own.public)


def server_keys(settings: SecuritySettings) -> ServerKeys | None:
    """The keys of a server with these settings; None when it has none. Raises ConfigError."""
    return None if settings.keys is None else ServerKeys(settings.keys)


class Peers:
    """How a governor reaches its server and its handlers: as who, and who they must prove to be.

    Raises ConfigError when keys are configured and cannot be used.
    """

    def __init__(self, settings: SecuritySettings | None = None) -> None:
        self._keys = None if settings is None else server_keys(settings)

    def secure(self, name: str) -> Curve | None:
        """The keys for a client of this service; None in plain text. Raises HandlerUnavailable without a key."""
        if self._keys is None:
            return None
        return self._keys.to_server() if name == SERVER else self._keys.to_handler(name)


def handler_options(settings: SecuritySettings, handler_id: str) -> dict[str, Any]:
    """What is to be passed to a handler's class; nothing that is not asked for. Raises ConfigError."""
    options: dict[str, Any] = {"insecure": True} if settings.insecure else {}
    if settings.keys is not None:
        options["secure"] = handler_keys(settings.keys, handler_id)
    return options


def handler_keys(folder: Path, handler_id: str) -> HandlerKeys:
    """The keys of a handler in its machine's folder. Raises ConfigError."""
    return HandlerKeys(read_pair(folder, handler_id), read_public(folder, SERVER))
