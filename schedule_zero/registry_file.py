"""The registry's YAML file: who was registered when the server last wrote it."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from schedule_zero.errors import ConfigError
from schedule_zero.files import write_atomically
from schedule_zero.patterns import STORED_ADDRESS, in_words

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 32 * 1024 * 1024
"""The largest registry file that is read."""

MAX_FOREIGN_BYTES: Final = 2 * 1024 * 1024
"""The same for one that is not in the form written here: YAML is read at some 200 kB/s."""

MAX_HANDLERS: Final = 10_000

_FORMAT: Final = 1
_HEADER: Final = (
    "# Written by the ScheduleZero server. Handlers register themselves; nothing here needs editing.\n"
)
_HEAD: Final = f"{_HEADER}version: {_FORMAT}\nhandlers:"
#: Words of the first line, any of which is enough.
_HEAD_MARKS: Final = (b"by the ScheduleZero server", b"Handlers register themselves", b"nothing here needs editing")
#: What each line of a handler has, in the form in which it is written here and hardly anywhere else.
_LINE_MARKS: Final = (b'- {"id":"', b'"address":"tcp://', b'"incarnation":"')
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e]")


class StoredHandler(msgspec.Struct, kw_only=True):
    """One handler as it stands in the file; `last_seen` is ISO 8601 with zone, or empty."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    address: Annotated[str, msgspec.Meta(pattern=STORED_ADDRESS)]
    methods: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=1000)] = []
    incarnation: Annotated[str, msgspec.Meta(max_length=200)] = ""
    registrations: Annotated[int, msgspec.Meta(ge=0)] = 1
    pid: Annotated[int, msgspec.Meta(ge=0)] | None = None
    last_seen: Annotated[str, msgspec.Meta(max_length=100)] = ""
    concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _Document(msgspec.Struct):
    version: int
    handlers: Annotated[list[StoredHandler], msgspec.Meta(max_length=MAX_HANDLERS)]


def save_handlers(path: Path, handlers: list[StoredHandler]) -> None:
    """Write the file so that a crash at any moment leaves the old or the new one, never a half.

    Each handler is a line of JSON, which is YAML too: a YAML writer takes a second for some hundred handlers, and
    holds up every other thread meanwhile.

    Raises:
        OSError: the folder cannot be written.
    """
    lines = [f"- {_escaped(msgspec.json.encode(handler).decode())}\n" for handler in handlers]
    write_atomically(path, "".join([_HEAD, "\n" if lines else " []\n", *lines]), durable=True)


def load_handlers(path: Path) -> list[StoredHandler]:
    """The handlers in the file; none when there is no file.

    One that the server has written and that makes no sense any more (cut short, garbled, emptied by a loss of power) is
    moved aside to the first free `<name>.corrupt-<n>` and logged: handlers register again by themselves, so a broken
    file must not keep the server down.

    Raises:
        ConfigError: the file is not one of ours, and was left as it is; or it cannot be read or moved.
    """
    try:
        return _load(path)
    except _Damaged as error:
        _set_aside(path, str(error))
        return []


def require_registry(path: Path) -> None:
    """Raise ConfigError if `load_handlers` would; nothing is moved."""
    with suppress(_Damaged):
        _load(path)


class _Damaged(ValueError):
    """A file of ours that makes no sense."""


def _load(path: Path) -> list[StoredHandler]:
    try:
        content = _read(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"cannot read the handler registry: {error.strerror}", file=str(path)) from error
    try:
        return _handlers(content)
    except (YAMLError, msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        reason = in_words(str(error)).splitlines()[0] if str(error) else type(error).__name__
        if _is_ours(content):
            raise _Damaged(reason) from error
        raise _foreign(path, reason) from error


def _handlers(content: bytes) -> list[StoredHandler]:
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    document = _own(content) or msgspec.convert(_parse(content), _Document)
    if document.version != _FORMAT:
        raise ValueError(f"format version {document.version}, expected {_FORMAT}")
    return document.handlers


def _is_ours(content: bytes) -> bool:
    """Whether the server has written this, whatever became of it.

    Its first line or that of a handler is there still, or it was cut off at its very beginning: after a loss of power,
    a file may be empty or all zeros.
    """
    if _HEAD.encode().startswith(content.rstrip(b"\0")):
        return True
    return any(mark in content[:200] for mark in _HEAD_MARKS) or all(mark in content for mark in _LINE_MARKS)


def _foreign(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"this is no handler registry ({reason}), and was left as it is: name another file, or move it away",
        file=str(path),
    )


def _read(path: Path) -> bytes:
    try:
        # Neither through a link to who knows where, nor waiting for the other end of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _foreign(path, "it is no regular file but a link, pipe or socket") from error
        raise
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise _foreign(path, "it is no regular file but a link, pipe or socket")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    return content


def _own(content: bytes) -> _Document | None:
    """The document, if the file is in the form that `save_handlers` gives it, with nothing but ASCII."""
    head = f"{_HEAD}\n".encode()
    if not content.startswith(head):
        return None
    lines = content[len(head) :].splitlines()
    if not all(line.startswith(b"- {") for line in lines):
        return None
    try:
        handlers = msgspec.json.decode(b"[" + b",".join(line[2:] for line in lines) + b"]", type=list[StoredHandler])
    except msgspec.MsgspecError:
        return None  # the YAML reader says better what is wrong, or knows the escape
    return _Document(_FORMAT, handlers[:MAX_HANDLERS])


def _parse(content: bytes) -> Any:
    if len(content) > MAX_FOREIGN_BYTES:
        raise ValueError(f"it is not in the server's form, and larger than {MAX_FOREIGN_BYTES} bytes")
    # "safe" builds plain Python values only; no tag in the file can name a class.
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Plain
    return yaml.load(content.decode("utf-8"))


class _Plain(Composer):
    """Without aliases, by which a short text can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias, compose anything else."""
        if self.parser.check_event(AliasEvent):
            raise ValueError("aliases (*name) are not read here")
        return super().compose_node(parent, index)


def _escaped(text: str) -> str:
    # What JSON takes as it is, YAML may take for a line break or for nothing printable.
    return _NOT_PLAIN.sub(lambda match: f"\\U{ord(match[0]):08x}", text)


def _set_aside(path: Path, reason: str) -> None:
    numbered = (path.with_name(f"{path.name}.corrupt-{n}") for n in count(1))
    # Never in the place of another: each may hold what somebody looks for.
    target = next(place for place in numbered if not os.path.lexists(place))
    try:
        path.rename(target)
    except OSError as error:
        raise ConfigError(
            f"the handler registry is corrupt ({reason}) and cannot be moved: {error}", file=str(path)
        ) from error
    logger.error(
        "handler registry %s is corrupt (%s): moved to %s, starting without it", path, reason, target.name
    )
