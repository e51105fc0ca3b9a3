"""The registry's YAML file: who was registered when the server last wrote it."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schedule_zero.errors import ConfigError
from schedule_zero.files import write_atomically

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_KEEP_CORRUPT: Final = 20
_HEADER: Final = (
    "# Written by the ScheduleZero server. Handlers register themselves; nothing here needs editing.\n"
)


class StoredHandler(msgspec.Struct, kw_only=True):
    """One handler as it stands in the file; `last_seen` is ISO 8601 with zone, or empty."""

    id: str
    address: str
    methods: list[str] = []
    incarnation: str = ""
    registrations: int = 1
    pid: int | None = None
    last_seen: str = ""


class _Document(msgspec.Struct):
    version: int
    handlers: list[StoredHandler]


def save_handlers(path: Path, handlers: list[StoredHandler]) -> None:
    """Write the file so that a crash at any moment leaves the old or the new one, never a half.

    Raises:
        OSError: the folder cannot be written.
    """
    text = io.StringIO()
    _yaml().dump(msgspec.to_builtins(_Document(_FORMAT, handlers)), text)
    write_atomically(path, _HEADER + text.getvalue(), durable=True)


def load_handlers(path: Path) -> list[StoredHandler]:
    """The handlers in the file; none when there is no file.

    A file that makes no sense is moved aside to `<name>.corrupt-<n>` and logged: handlers register again by
    themselves, so a broken file must not keep the server down.

    Raises:
        ConfigError: the file exists and cannot be read or moved.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"cannot read the handler registry: {error.strerror}", file=str(path)) from error
    try:
        document = msgspec.convert(_parse(content), _Document)
        if document.version != _FORMAT:
            raise ValueError(f"format version {document.version}, expected {_FORMAT}")
    except (YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
        _set_aside(path, error)
        return []
    return document.handlers


def _parse(content: bytes) -> Any:
    return _yaml().load(content.decode("utf-8"))


def _yaml() -> YAML:
    # "safe" builds plain Python values only; no tag in the file can name a class.
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return yaml


def _set_aside(path: Path, why: Exception) -> None:
    numbered = [path.with_name(f"{path.name}.corrupt-{n}") for n in range(1, _KEEP_CORRUPT + 1)]
    # Bounded: when all numbers are taken, the last is overwritten.
    target = next((place for place in numbered if not place.exists()), numbered[-1])
    reason = str(why).splitlines()[0] if str(why) else type(why).__name__
    try:
        path.replace(target)
    except OSError as error:
        raise ConfigError(
            f"the handler registry is corrupt ({reason}) and cannot be moved: {error}", file=str(path)
        ) from error
    logger.error(
        "handler registry %s is corrupt (%s): moved to %s, starting without it", path, reason, target.name
    )
