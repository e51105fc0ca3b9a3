"""CURVE key pairs in files, one folder a machine.

The folder of a server holds ``server.key`` and ``server.pub``, ``allowed.json``, and ``<handler id>.key`` for
every handler of the same machine. The folder of a handler elsewhere holds its own ``<handler id>.key`` and the
server's ``server.pub``. A ``.key`` holds both halves of a pair as JSON, in the Z85 text that ZeroMQ uses
(rfc.zeromq.org/spec/32), and may be read by its owner only; a ``.pub`` is no secret, and is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zmq

from schedule_zero.errors import ConfigError
from schedule_zero.security.private_files import read_private, write_private

__all__ = ["SERVER", "KeyPair", "check_name", "check_public", "make_pair", "read_pair", "read_public", "write_pair"]

SERVER = "server"
"""The name of the server's own pair."""
_Z85 = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class KeyPair:
    """The two halves of a CURVE key, 40 characters of Z85 each. The secret one is not shown."""

    public: str
    secret: str = field(repr=False)


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    public: str
    secret: str


def make_pair() -> KeyPair:
    """A new pair, from libsodium's generator by way of libzmq."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def write_pair(folder: Path, name: str, pair: KeyPair) -> None:
    """Write ``<name>.key`` and ``<name>.pub``. Raises ConfigError."""
    check_name(name)
    text = msgspec.json.encode(_Stored(pair.public, pair.secret)).decode()
    write_private(folder / f"{name}.key", text + "\n")
    write_private(folder / f"{name}.pub", pair.public + "\n")


def read_pair(folder: Path, name: str) -> KeyPair:
    """The pair in ``<name>.key``. Raises ConfigError when there is none, or when others may read it."""
    path = folder / f"{check_name(name)}.key"
    if not path.exists():
        who = "" if name == SERVER else f" {name}"
        raise ConfigError(f"there is no such key: make it with `schedule-zero keys make{who}`", file=str(path))
    try:
        stored = msgspec.json.decode(read_private(path), type=_Stored)
    except msgspec.DecodeError as error:
        raise ConfigError(f"not a key file: {error}", file=str(path)) from None
    pair = KeyPair(_checked(stored.public, path), _checked(stored.secret, path))
    if zmq.curve_public(pair.secret.encode()).decode() != pair.public:
        raise ConfigError("its two halves do not belong together: make a new one", file=str(path))
    return pair


def read_public(folder: Path, name: str) -> str:
    """The public half in ``<name>.pub``. Raises ConfigError."""
    path = folder / f"{check_name(name)}.pub"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"there is no such key: copy {name}.pub from the machine that `schedule-zero keys make` was run on",
            file=str(path),
        ) from None
    return _checked(text.strip(), path)


def check_name(name: str) -> str:
    """The name of a key: it names files too. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"key name: expected letters, digits, '.', '_', '-', 64 at most, found {name!r:.80}")
    return name


def check_public(text: str) -> str:
    """A public key as it may come from a command line. Raises ConfigError."""
    if not _is_key(text):
        raise ConfigError(f"public key: expected 40 characters of Z85 for 32 bytes, found {text!r:.80}")
    return text


def _checked(text: str, path: Path) -> str:
    if not _is_key(text):
        raise ConfigError("not a key: expected 40 characters of Z85 for 32 bytes", file=str(path))
    return text


def _is_key(text: str) -> bool:
    # zmq refuses what has the right alphabet and does not fit 32 bits; curve_public is its own check of that.
    if not _Z85.fullmatch(text):
        return False
    try:
        zmq.curve_public(text.encode())
    except (zmq.ZMQError, ValueError):
        return False
    return True
