"""Copies of a SQLite store: made while it runs, checked, put back.

A copy is one consistent moment: SQLite's backup interface reads it in one step, beside the writer, which goes on
in WAL mode. It appears under its name only when it is whole, checked and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from schedule_zero.errors import StoreUnusable
from schedule_zero.schema import require_ours
from schedule_zero.store_errors import StoreBusy, StoreCorrupt

__all__ = ["Contents", "inspect_store", "restore_backup", "write_backup"]


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

    The store that was there is kept beside it with the ending ``.before-restore``. Raises as `inspect_store` for the
    backup, and `StoreBusy` while a server has the store open.
    """
    contents = inspect_store(backup)
    target.parent.mkdir(parents=True, exist_ok=True)
    _require_unused(target)
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_bytes(backup.read_bytes())
        if target.exists():
            kept = target.with_name(f"{target.name}.before-restore")
            kept.unlink(missing_ok=True)
            # Another name for the same file: at no moment is there no store.
            kept.hardlink_to(target)
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
        _settle(part, target)
    except OSError as error:
        raise StoreUnusable(f"cannot restore {backup} to {target}: {error}") from error
    return msgspec.structs.replace(contents, path=target)


def _require_unused(target: Path) -> None:
    if not target.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as connection:
            # Leaving WAL mode takes that nobody else has the file open; it also moves the log into the file.
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return  # whatever else is wrong with it is why a backup is restored
        mode = "busy"
    except sqlite3.DatabaseError:
        return
    if mode != "delete":
        raise StoreBusy(f"the store {target} is in use: stop its server before a backup is restored")


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
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
