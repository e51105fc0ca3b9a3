"""One SQLite file, written by one thread.

SQLite has one writer. Several connections of one process that compete for it lose milliseconds in its busy
handler, and a deferred transaction that upgrades fails outright with SQLITE_BUSY. So there is one writing
connection here, owned by one thread, and each batch of `storage` is one ``BEGIN IMMEDIATE … COMMIT`` with a
savepoint a piece of work. A result is handed out only after the commit (``synchronous=FULL``).

Reads have a connection and a thread of their own: in WAL mode they go on while somebody else holds the write
lock.

A file that is removed or replaced under it takes no more writes (`file_identity`): SQLite itself would not notice.

What can pass (locked, full, read-only, I/O errors) is retried for as long as it takes. A file that is damaged,
belongs to another application or was written by a newer version is refused, each by an error of its own
(`store_errors`), and left as it is. Damage that is met later fails the work that meets it, and is never retried.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from schedule_zero.errors import StoreUnusable
from schedule_zero.file_identity import OpenFiles
from schedule_zero.files import make_folder, make_private
from schedule_zero.migrations import bring_up_to_date
from schedule_zero.schema import APPLICATION_ID, SCHEMA_VERSION, require_ours
from schedule_zero.sqlite_backup import Contents, write_backup
from schedule_zero.storage import Done, Storage, Work
from schedule_zero.store_errors import StoreAway, StoreBusy, StoreClosed, StoreCorrupt, StoreReplaced, StoreTrouble

__all__ = ["TRANSIENT", "Database", "StoreBusy", "StoreClosed", "StoreTrouble"]

T = TypeVar("T")

#: Primary result codes (https://sqlite.org/rescode.html) of conditions that can pass: PERM, BUSY, LOCKED,
#: NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL.
TRANSIENT = frozenset({3, 5, 6, 7, 8, 10, 13, 14, 15})
_BUSY = frozenset({5, 6})
#: CORRUPT, NOTADB.
_DAMAGED = frozenset({11, 26})
_ADVICE = {
    5: "another program holds its lock: stop that program",
    8: "it is read-only: make the file and its folder writable for this user",
    13: "the disk is full: free some space",
    14: "make its folder exist and be writable for this user",
}
#: Files up to this many bytes are checked from end to end when they are opened, which takes about a millisecond a
#: megabyte; of larger ones all tables but this, which holds nearly all of it.
_CHECKED = 32 << 20
_LARGE = "executions"


class Database(Storage):
    """A SQLite file (or a private database in memory with ``path=None``) for one event loop.

    `retry_base` and `retry_cap` bound the pause, in seconds, between attempts while the store is in trouble.

    Example::

        database = Database(Path("schedule_zero.db"))
        await database.start()
        await database.write(lambda c: c.execute("DELETE FROM idempotency"))
        await database.close()
    """

    def __init__(self, path: Path | None, *, retry_base: float = 0.01, retry_cap: float = 0.5) -> None:
        super().__init__(str(path or ":memory:"), threaded=path is not None, retry_base=retry_base, retry_cap=retry_cap)
        self.path = path
        self._files = None if path is None else OpenFiles(path)
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def _open_within(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                await self._in_thread(self._write_thread, self._open_first)
                return
            except sqlite3.Error as error:
                if _primary_code(error) not in _BUSY:
                    raise self._cannot_open(error) from error
                if time.monotonic() >= deadline:
                    raise self._cannot_open(error, StoreAway) from error
            except OSError as error:
                raise self._cannot_open(error) from error
            await asyncio.sleep(self._retry_cap)

    def _cannot_open(self, error: Exception, kind: type[StoreUnusable] = StoreUnusable) -> StoreUnusable:
        code = _primary_code(error) if isinstance(error, sqlite3.Error) else 0
        if code in _DAMAGED:
            return self._damaged(error)
        advice = _ADVICE.get(code, "expected a writable SQLite file of this package")
        return kind(f"cannot use the database {self.name}: {error}; {advice}")

    def _damaged(self, error: object) -> StoreCorrupt:
        return StoreCorrupt(
            f"cannot use the database {self.name}: {error}; if it was a database of this package, keep the file"
            " and restore the latest backup, else name another file"
        )

    async def backup(self, target: Path) -> Contents:
        """Copy the database, as it is at one moment, into the new file `target`, while it goes on working.

        Raises `StoreUnusable` when that file exists already or cannot be written, `StoreCorrupt` when the copy shows
        that the database is damaged.
        """
        self._require_open()
        if self._writer is not None and self.path is None:
            return write_backup(self._writer, target)
        # A thread of its own: neither reads nor writes wait for a long copy.
        thread = ThreadPoolExecutor(1, thread_name_prefix="store-backup")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, self._copy, target)
        finally:
            thread.shutdown(wait=False)

    def _copy(self, target: Path) -> Contents:
        self._require_same_files()
        try:
            with contextlib.closing(_connect(self.path, self.name)) as source:
                return write_backup(source, target)
        except sqlite3.Error as error:
            raise StoreBusy(f"the store cannot be read: {error}") from error

    # -- in the threads ------------------------------------------------------------------------------------------

    def _open_first(self) -> None:
        self._open()
        assert self._writer is not None
        found = _fault(self._writer)
        if found is not None:
            raise self._damaged(found)

    def _open(self) -> None:
        self._close_writer()
        if self.path is not None:
            self._require_same_files(log=False)
            make_folder(self.path.parent)
            make_private(self.path)  # as it is, so will the files be that SQLite puts beside it
        self._writer = _connect(self.path, self.name)
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._prepare(self._writer)
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
        if self._files is not None:
            self._files.opened()
        if self.path is not None and self._reader is None:
            self._open_reader()

    def _require_same_files(self, *, log: bool = True) -> None:
        error = self._files.replaced(log=log) if self._files is not None else None
        if error is not None:
            raise error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # Looked at again: somebody else may have brought it up to date while this one waited for the lock.
        version = require_ours(connection, self.name)
        if version < SCHEMA_VERSION:
            bring_up_to_date(connection, version, self.name)
        # Written in any case: a file that may only be read is of no use, and shows it here.
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _open_reader(self) -> sqlite3.Connection:
        self._require_same_files()
        self._reader = _connect(self.path, self.name)
        self._reader.execute("PRAGMA query_only = ON")
        return self._reader

    def _look(self, work: Work[T]) -> T:
        try:
            return work(self._reader or self._open_reader())
        except sqlite3.Error as error:
            code = _primary_code(error)
            if code in _DAMAGED:
                raise self._damaged(error) from error
            if code in TRANSIENT - _BUSY:
                self._close_reader()
            raise StoreBusy(f"the store cannot be read: {error}") from error

    def _transact(self, works: list[Work[T]]) -> list[Done]:
        """Run the batch in one transaction; raises `StoreTrouble` after undoing all of it."""
        try:
            if self._writer is None:
                self._open()
            else:
                self._require_same_files()
            assert self._writer is not None
            return self._run_batch(self._writer, works)
        except sqlite3.Error as error:
            code = _primary_code(error)
            if code not in _BUSY:
                # After an I/O error the connection's idea of the file may be stale: begin with a new one.
                self._close_writer()
            if code in _DAMAGED:
                # No trial mends that, and whoever waited for one would wait for ever: a start, and the next stop.
                return [Done(error=self._damaged(error)) for _ in works]
            raise StoreTrouble(error) from error
        except StoreReplaced as error:
            return [Done(error=error) for _ in works]
        except (OSError, StoreUnusable) as error:
            raise StoreTrouble(error) from error

    def _run_batch(self, connection: sqlite3.Connection, works: list[Work[T]]) -> list[Done]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._run_one(connection, work) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            # Some errors (FULL, IOERR) roll back by themselves, and then ROLLBACK would raise.
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return outcomes

    def _run_one(self, connection: sqlite3.Connection, work: Work[T]) -> Done:
        connection.execute("SAVEPOINT piece")
        try:
            outcome = Done(result=work(connection))
        except Exception as error:
            code = _primary_code(error) if isinstance(error, sqlite3.Error) else 0
            if code in TRANSIENT:
                raise
            connection.execute("ROLLBACK TO piece")
            outcome = Done(error=self._damaged(error) if code in _DAMAGED else error)
        connection.execute("RELEASE piece")
        return outcome

    def _close_reader(self) -> None:
        _close(self._reader)
        self._reader = None

    def _close_writer(self) -> None:
        _close(self._writer)
        self._writer = None


def _connect(path: Path | None, name: str) -> sqlite3.Connection:
    # timeout=0: SQLite's own busy handler would sleep in C with the thread held; the retries above sleep in the
    # event loop. isolation_level=None: transactions begin where this module says so and nowhere else.
    connection = sqlite3.connect(
        ":memory:" if path is None else str(path), timeout=0, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    try:
        # Before anything that writes: turning to WAL would already change somebody else's file.
        require_ours(connection, name)
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Some distributions have SQLite overwrite what is deleted: to drop a gigabyte of results would write one.
        # Here it does so where that costs nothing.
        connection.execute("PRAGMA secure_delete = FAST")
    except BaseException:
        connection.close()
        raise
    return connection


def _fault(connection: sqlite3.Connection) -> str | None:
    """The first damage that a look over the file finds, None if there is none; raises sqlite3.Error for some kinds."""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size <= _CHECKED:
        return _checked(connection, "quick_check(1)")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table != _LARGE and (found := _checked(connection, f'quick_check("{table}")')) is not None:
            return found
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
    connection.execute(f"SELECT 1 FROM {_LARGE} NOT INDEXED LIMIT 1").fetchall()
    for name, made in connection.execute(indexes, (_LARGE,)).fetchall():
        # An index of some of the rows serves a query for these alone; that of a primary key has no text of its own.
        kept = (made or "").partition(" WHERE ")[2] or "TRUE"
        connection.execute(f'SELECT 1 FROM {_LARGE} INDEXED BY "{name}" WHERE {kept} LIMIT 1').fetchall()
    return None


def _checked(connection: sqlite3.Connection, pragma: str) -> str | None:
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return None if found == "ok" else str(found)


def _text(stored: bytes) -> str:
    """A text of the file; a damaged one is no JSON any more, but does not keep the rows beside it from being read."""
    return stored.decode("utf-8", "backslashreplace")


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
