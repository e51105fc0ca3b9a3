"""Bearer tokens in a file, of which the file knows only hashes.

A token is 256 random bits, so that nobody can guess it, and a single SHA-256 keeps it from being read out of the
file. A slow hash (scrypt, argon2) protects what people choose; here it would protect nothing more and cost each
request tens of milliseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from schedule_zero.errors import ConfigError
from schedule_zero.security.key_files import check_name
from schedule_zero.security.private_files import Watched, exclusive, read_private, write_private
from schedule_zero.security.scopes import Scope

__all__ = ["PREFIX", "StoredToken", "TokenFile", "add_token", "digest", "list_tokens", "revoke_token"]

PREFIX = "szt_"
"""What every token begins with, so that scanners for leaked secrets recognise one."""


class StoredToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token as the file has it; ``sha256`` is of the whole token, in hexadecimal."""

    name: str
    scope: Scope
    sha256: str
    created: datetime
    expires: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether it counts no more."""
        return self.expires is not None and now >= self.expires


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tokens: tuple[StoredToken, ...] = ()


def _now() -> datetime:
    return datetime.now(UTC)


class TokenFile:
    """The tokens as they are now: a change of the file counts at the next request.

    Every method raises ConfigError while the file cannot be used, or is gone: then nobody has a token.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = _now) -> None:
        self._watched = Watched(path, _parse)
        self._now = now

    def check(self) -> None:
        """Raise ConfigError when the file cannot be used."""
        self._watched.get()

    def find(self, token: str) -> StoredToken | None:
        """The entry of a token that is valid now."""
        return self.find_digest(digest(token))

    def find_digest(self, sha256: str) -> StoredToken | None:
        """The entry with this hash, if it is valid now. Takes as long for a near miss as for a far one."""
        found = None
        for stored in self._watched.get():
            if hmac.compare_digest(stored.sha256, sha256) and not stored.is_expired(self._now()):
                found = stored
        return found


def digest(token: str) -> str:
    """What a token is known by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def add_token(path: Path, name: str, scope: Scope, lifetime: float | None = None) -> str:
    """Make a token, valid for ``lifetime`` seconds or for good, and return it: it can never be read again.

    Raises ConfigError for a name that is taken or none, a scope that is none, a file that others may read.
    """
    check_name(name)
    if scope is Scope.NONE:
        raise ConfigError("scope: expected read, write or admin")
    token = PREFIX + secrets.token_urlsafe(32)
    now = _now()
    expires = None if lifetime is None else datetime.fromtimestamp(now.timestamp() + lifetime, UTC)
    with exclusive(path):
        tokens = list_tokens(path)
        if any(stored.name == name for stored in tokens):
            raise ConfigError(f"there is a token {name!r} already: revoke it first", file=str(path))
        _write(path, (*tokens, StoredToken(name, scope, digest(token), now, expires)))
    return token


def revoke_token(path: Path, name: str) -> None:
    """Make a token count no more. Raises ConfigError when there is none of this name."""
    with exclusive(path):
        tokens = list_tokens(path)
        kept = tuple(stored for stored in tokens if stored.name != name)
        if len(kept) == len(tokens):
            known = ", ".join(stored.name for stored in tokens) or "none"
            raise ConfigError(f"there is no token {name!r}; there are: {known}", file=str(path))
        _write(path, kept)


def list_tokens(path: Path) -> tuple[StoredToken, ...]:
    """Every token of a file, also those that have expired; none of a file that is not there yet."""
    return _parse(path) if path.exists() else ()


def _parse(path: Path) -> tuple[StoredToken, ...]:
    try:
        tokens = msgspec.json.decode(read_private(path), type=_File).tokens
    except msgspec.DecodeError as error:
        raise ConfigError(f"not a file of tokens: {error}", file=str(path)) from None
    for stored in tokens:
        if stored.expires is not None and stored.expires.tzinfo is None:
            raise ConfigError(f"token {stored.name!r}: expected an expiry with its time zone", file=str(path))
    return tokens


def _write(path: Path, tokens: tuple[StoredToken, ...]) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(_File(tokens)), indent=2).decode() + "\n")
