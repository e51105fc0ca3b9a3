"""Files that others must not read or change: written whole, refused when they lie open.

Whoever can write such a file decides who gets in; whoever can read one with a secret is in.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.files import write_atomically

__all__ = ["Watched", "exclusive", "read_private", "write_private"]

T = TypeVar("T")
_MOST = 16 * 1024 * 1024
_LOCK_LIMIT = 10.0


def read_private(path: Path) -> str:
    """The text of a file that belongs to us or root, and that nobody else may read or write.

    Raises ConfigError with the command that cures it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            # Asked of the open file, so that it cannot be another one by the time it is read.
            _check(path, os.fstat(file.fileno()))
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"cannot be read: {reason}", file=str(path)) from None


def _check(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST:
        raise ConfigError(f"expected a plain file of at most {_MOST} bytes", file=str(path))
    if mode & 0o077:
        raise ConfigError(
            f"others may read or write it (mode {mode:04o}): chmod 600 {path.name}; if they could already, "
            "make new secrets",
            file=str(path),
        )
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"it belongs to user {found.st_uid}, expected user {os.geteuid()}: chown it", file=str(path)
        )


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable and writable by its owner only, and durable. Raises ConfigError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text, mode=0o600, durable=True)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", file=str(path)) from None


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Nobody else is in a block on the same path meanwhile: for a change that reads before it writes.

    Raises ScheduleZeroError when somebody else stays in theirs for ten seconds, ConfigError when the folder cannot
    be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be changed: {error.strerror or error}", file=str(path)) from None
    with lock:
        deadline = time.monotonic() + _LOCK_LIMIT
        while not _locked(lock.fileno()):
            if time.monotonic() >= deadline:
                raise ScheduleZeroError(f"{path} has been in change by another process for {_LOCK_LIMIT:g} s")
            time.sleep(0.02)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Watched(Generic[T]):
    """What a file says, read again whenever it has changed.

    ``parse`` makes a value of the path and may raise ConfigError; :meth:`get` raises it too, every time until
    the file is right: a list of who may enter that cannot be read lets nobody in.
    """

    def __init__(self, path: Path, parse: Callable[[Path], T]) -> None:
        self.path = path
        self._parse = parse
        self._seen: tuple[int, ...] | None = None
        self._value: T | ConfigError | None = None

    def get(self) -> T:
        """The value of the file as it is now. Costs one look at the file's times where it has not changed."""
        mark = self._mark()
        if self._value is None or mark is None or mark != self._seen:
            try:
                self._value = self._parse(self.path)
            except ConfigError as error:
                self._value = error
            # The mark from before reading: a change in between is noticed the next time.
            self._seen = mark
        if isinstance(self._value, ConfigError):
            raise ConfigError(self._value.message, file=self._value.file)
        return self._value

    def _mark(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
