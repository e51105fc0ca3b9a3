"""Copies of a SQLite store: made while it runs, checked, put back.

A copy is one consistent moment: SQLite's backup interface reads it in one step, beside the writer, which goes on
in WAL mode. It appears under its name only when it is whole, checked and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from schedule_zero.errors import StoreUnusable
from schedule_zero.files import make_folder, make_private
from schedule_zero.schema import require_ours
from schedule_zero.store_errors import StoreBusy, StoreCorrupt

__all__ = ["Contents", "copy_store", "inspect_store", "restore_backup", "write_backup"]

#: Seconds that a copy waits for whoever has the store locked.
_PATIENCE = 5.0


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a store: its schema version, its size in bytes, and how much there is of everything."""

    path: Path
    version: int
    size: int
    schedules: int
    jobs: int
    executions: int


def write_backup(source: sqlite3.Connection, target: Path) -> Contents:
    """Copy the database behind a connection into the new file `target`.

    Raises `StoreUnusable` when that exists already or cannot be written, `StoreCorrupt` when the copy shows that the
    database is damaged.
    """
    if target.exists():
        raise StoreUnusable(f"cannot write the backup {target}: it exists already; name a file that does not")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        make_private(part)
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
            source.backup(copy)
            # One file, without the write-ahead log that the original has beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        contents = inspect_store(part)
        _settle(part, target)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnusable(f"cannot write the backup {target}: {error}; is there space, and may one write?") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return msgspec.structs.replace(contents, path=target)


def copy_store(source: Path, target: Path) -> Contents:
    """Copy the store in a file, which a server of another process may be writing, into the new file `target`.

    Raises as `write_backup`, `StoreUnusable` where there is no such store, and `StoreForeign` for somebody else's.
    """
    if not source.is_file():
        raise StoreUnusable(f"there is no store {source}")
    try:
        # By a name that cannot make the file, should it be gone by now.
        uri = f"{source.absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)) as connection:
            require_ours(connection, str(source))
            return write_backup(connection, target)
    except sqlite3.Error as error:
        raise StoreUnusable(f"the store {source} cannot be read: {error}") from error


def inspect_store(path: Path) -> Contents:
    """Check a store's file from end to end, without changing it; returns what is in it.

    Raises `StoreUnusable` (there is none), `StoreCorrupt`, `StoreForeign`, `StoreTooNew`.
    """
    if not path.is_file():
        raise StoreUnusable(f"there is no store {path}")
    try:
        with _opened(path) as connection:
            require_ours(connection, str(path))
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise StoreCorrupt(f"the store {path} is damaged: {found}; use an earlier backup")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            counts = {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("schedules", "jobs", "executions")
            }
    except sqlite3.DatabaseError as error:
        raise StoreCorrupt(f"the store {path} cannot be read: {error}; use an earlier backup") from error
    return Contents(path=path, version=version, size=path.stat().st_size, **counts)


def restore_backup(backup: Path, target: Path) -> Contents:
    """Put a backup in the place of the store `target`, which must not be in use; returns what is in it.

    The store that was there is kept beside it with the ending ``.before-restore`` (``.before-restore.2`` and so on
    where that is another). Killed at any moment, this leaves the old store or the new one in its place, whole.
    Raises as `inspect_store` for the backup, and `StoreBusy` while a server has the store open.
    """
    contents = inspect_store(backup)
    make_folder(target.parent)
    part = target.with_name(f"{target.name}.part")
    try:
        with _held(target):
            part.unlink(missing_ok=True)
            make_private(part)
            shutil.copyfile(backup, part)
            if target.exists():
                _keep(target)
            for ending in ("-wal", "-shm"):
                target.with_name(target.name + ending).unlink(missing_ok=True)
            _settle(part, target)
    except OSError as error:
        raise StoreUnusable(f"cannot restore {backup} to {target}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return msgspec.structs.replace(contents, path=target)


def _keep(target: Path) -> None:
    """Give the store that goes another name beside its own: at no moment is there no store."""
    names = [target.with_name(f"{target.name}.before-restore")]
    while names[-1].exists():
        if names[-1].samefile(target):
            return  # kept by a restoration that was killed
        names.append(target.with_name(f"{target.name}.before-restore.{len(names) + 1}"))
    names[-1].hardlink_to(target)


@contextlib.contextmanager
def _held(target: Path) -> Iterator[None]:
    """Nobody else has the store open, nor gets into it before the end; raises `StoreBusy` where somebody has."""
    if not target.exists():
        yield
        return
    with contextlib.closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as connection:
        if not _lock(connection):
            raise StoreBusy(f"the store {target} is in use: stop its server before a backup is restored")
        yield


def _lock(connection: sqlite3.Connection) -> bool:
    try:
        # Leaving WAL mode takes that nobody else has the file open; it also moves the log into the file.
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        if mode != "delete":
            return False
        # A server that starts meanwhile is told that the store is busy, and opens it anew.
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        # Whatever else is wrong with it is why a backup is restored.
        return getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    except sqlite3.DatabaseError:
        return True
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        yield connection
    finally:
        connection.close()


def _settle(part: Path, target: Path) -> None:
    """Give a whole file its name, so that it is there after a loss of power too."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
