"""Which handlers' keys the server accepts, and which handlers each may be.

``allowed.json`` in the folder of keys; it holds no secret, but whoever can write it decides who gets in, so it
must be its owner's alone.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from schedule_zero.errors import ConfigError
from schedule_zero.security.key_files import check_name, check_public
from schedule_zero.security.private_files import Watched, exclusive, read_private, write_private

__all__ = ["FILE", "AllowedKey", "AllowedKeys", "allow_key", "revoke_key"]

FILE = "allowed.json"


class AllowedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that is let in; its owner may register as any of ``handlers`` and as nobody else."""

    name: str
    public: str
    handlers: tuple[str, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: tuple[AllowedKey, ...] = ()


class AllowedKeys:
    """The list as it is now: a change of the file counts at the next question.

    Every method raises ConfigError while the file cannot be used. No file is an empty list.
    """

    def __init__(self, folder: Path) -> None:
        self._watched = Watched(folder / FILE, _parse)

    def all(self) -> tuple[AllowedKey, ...]:
        """Every key that is let in."""
        return self._watched.get()

    def is_allowed(self, public: str) -> bool:
        """Whether a peer with this key is let in."""
        return any(key.public == public for key in self.all())

    def may_be(self, public: str, handler_id: str) -> bool:
        """Whether a peer with this key may register as this handler."""
        return any(key.public == public and handler_id in key.handlers for key in self.all())

    def keys_of(self, handler_id: str) -> tuple[str, ...]:
        """The keys under which this handler may be, the latest allowed last."""
        return tuple(key.public for key in self.all() if handler_id in key.handlers)


def allow_key(folder: Path, name: str, public: str, handlers: tuple[str, ...]) -> None:
    """Let a key in, in the place of the one that had this name. Raises ConfigError."""
    check_name(name)
    check_public(public)
    if not handlers:
        raise ConfigError(f"key {name!r}: expected one handler id at least")
    path = folder / FILE
    with exclusive(path):
        keys = _parse(path)
        taken = [key.name for key in keys if key.public == public and key.name != name]
        if taken:
            raise ConfigError(f"key {name!r} is allowed already, as {taken[0]!r}: revoke that first")
        kept = tuple(key for key in keys if key.name != name)
        _write(path, (*kept, AllowedKey(name, public, handlers)))


def revoke_key(folder: Path, name: str) -> None:
    """Let the key of this name in no longer. Raises ConfigError when there is none."""
    path = folder / FILE
    with exclusive(path):
        keys = _parse(path)
        kept = tuple(key for key in keys if key.name != name)
        if len(kept) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise ConfigError(f"there is no key {name!r}; there are: {known}", file=str(path))
        _write(path, kept)


def _parse(path: Path) -> tuple[AllowedKey, ...]:
    if not path.exists():
        return ()
    try:
        keys = msgspec.json.decode(read_private(path), type=_File).keys
    except msgspec.DecodeError as error:
        raise ConfigError(f"not a list of allowed keys: {error}", file=str(path)) from None
    for key in keys:
        check_public(key.public)
    return keys


def _write(path: Path, keys: tuple[AllowedKey, ...]) -> None:
    text = msgspec.json.format(msgspec.json.encode(_File(keys)), indent=2).decode()
    write_private(path, text + "\n")
