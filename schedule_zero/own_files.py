"""Each file that a deployment names is a file of its own.

The server writes to all of them: two settings that mean one file, if only through a link, would destroy what is in it.

>>> service = ServiceConfig(database=Path("jobs.db"), registry_path=Path("jobs.db"))
>>> require_own_files(service, Path("/nowhere/shop"), None, {"registry": Place("registry", "shop.yaml", 4, 11)})
Traceback (most recent call last):
schedule_zero.errors.ConfigError: shop.yaml:4:11: registry: jobs.db is the file of `database` already; name another one
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from schedule_zero.config_source import Section
from schedule_zero.errors import ConfigError
from schedule_zero.service_config import ServiceConfig

__all__ = ["Place", "find_places", "require_other_file", "require_own_files"]

#: The settings that name files or folders, and the variables that stand for them.
_SETTINGS = {
    "database": "SCHEDULEZERO_DATABASE_URL",
    "security.tokens": "SCHEDULEZERO_TOKENS_PATH",
    "security.keys": "SCHEDULEZERO_KEYS_PATH",
    "registry": "SCHEDULEZERO_REGISTRY_PATH",
    "log.file": "SCHEDULEZERO_LOG_FILE",
}
_KEY_FILES = (".key", ".pub", "allowed.json")
_GOVERNORS = ("governor.json", "governor.lock", "running.json", "server.json", "stopped.json")


class Place(NamedTuple):
    """Where a setting was made: at a place in a file, or in an environment variable, which then is `setting`."""

    setting: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def error(self, problem: str) -> ConfigError:
        """The error that tells the problem with its place."""
        return ConfigError(f"{self.setting}: {problem}", file=self.file, line=self.line, column=self.column)


def find_places(document: Section, env: Mapping[str, str]) -> dict[str, Place]:
    """Where each setting was made that names a file; those that were not made are not in it."""
    places = {}
    for setting, variable in _SETTINGS.items():
        *sections, key = setting.split(".")
        section = document
        for name in sections:
            section = section.section(name)
        if env.get(variable):
            places[setting] = Place(f"environment variable {variable}")
        elif (place := section.place(key)) is not None:
            places[setting] = Place(setting, *place)
    return places


def require_own_files(
    service: ServiceConfig, directory: Path, config_path: Path | None, places: Mapping[str, Place]
) -> None:
    """Raise ConfigError, at its place, for a setting that means the file of another.

    `directory` is the deployment's folder, with the files of its governor; `config_path` its own file.
    """
    for first, second in combinations(_claims(service, directory, config_path), 2):
        if {first.name, second.name} == {_OWN_FILE, _GOVERNOR}:
            continue  # its server reads what the governor has written
        blamed, other = (second, first) if second.name in places or first.name not in places else (first, second)
        if (path := blamed.shared_with(other)) is not None:
            raise _clash(places.get(blamed.name, Place(blamed.name)), path, other)


def require_other_file(
    place: Place, path: Path, service: ServiceConfig, directory: Path, config_path: Path | None
) -> None:
    """Raise ConfigError if `path`, a file that is to be written, is one that the deployment names, or its own."""
    claim = _Claim(place.setting, [path])
    for other in _claims(service, directory, config_path):
        # The governor itself chooses a file among its own for its server.
        if other.name != _GOVERNOR and (shared := claim.shared_with(other)) is not None:
            raise _clash(place, shared, other)


_OWN_FILE = "the deployment itself"
_GOVERNOR = "the governor"


def _clash(place: Place, path: Path, other: _Claim) -> ConfigError:
    whose = other.name if other.name in (_OWN_FILE, _GOVERNOR) else f"`{other.name}`"
    return place.error(f"{path} is the file of {whose} already; name another one")


@dataclass
class _Claim:
    """What one setting takes for itself."""

    name: str
    paths: list[Path]
    folder: Path | None = None

    def shared_with(self, other: _Claim) -> Path | None:
        """A file that both take, None if there is none."""
        theirs = {identity for path in other.paths for identity in _identities(path)}
        for path in self.paths:
            if any(identity in theirs for identity in _identities(path)) or other.holds(path):
                return path
        return next((path for path in other.paths if self.holds(path)), None)

    def holds(self, path: Path) -> bool:
        """Whether this is a folder of keys, and that is, or would be, one of them."""
        if self.folder is None or not path.name.endswith(_KEY_FILES):
            return False
        return os.path.realpath(path.parent) == os.path.realpath(self.folder)


def _claims(service: ServiceConfig, directory: Path, config_path: Path | None) -> Iterator[_Claim]:
    security = service.security
    if config_path is not None:
        yield _Claim(_OWN_FILE, [config_path])
    yield _Claim(_GOVERNOR, [directory / name for name in _GOVERNORS])
    if service.store == "sqlite" and service.database is not None:
        yield _Claim("database", _with_endings(service.database, ("-wal", "-shm", "-journal")))
    if security.tokens is not None:
        yield _Claim("security.tokens", [security.tokens])
    if security.keys is not None:
        yield _Claim("security.keys", [security.keys], security.keys)
    if service.registry_path is not None:
        yield _Claim("registry", [service.registry_path])
    if service.log.file is not None:
        yield _Claim("log.file", _with_endings(service.log.file, (f".{n}" for n in range(1, service.log.backups + 1))))


def _with_endings(path: Path, endings: Iterable[str]) -> list[Path]:
    return [path, *(path.with_name(path.name + ending) for ending in endings)]


def _identities(path: Path) -> Iterator[object]:
    """What tells a file from all others: its path without links, and if it exists its number on its device."""
    yield os.path.realpath(path)
    try:
        found = path.stat()
    except OSError:
        return
    yield found.st_dev, found.st_ino
