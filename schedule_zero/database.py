"""One SQLite file, written by one thread, many small transactions a commit.

SQLite has one writer. Several connections of one process that compete for it lose milliseconds in its busy
handler, and a deferred transaction that upgrades fails outright with SQLITE_BUSY. So there is one writing
connection here, owned by one thread; every piece of work is a plain function on that connection. All work that
is waiting when the thread becomes free shares one ``BEGIN IMMEDIATE … COMMIT`` (group commit), each piece in
its own savepoint, so that one fsync pays for many and the failure of one does not undo its neighbours. A result
is handed out only after the commit (``synchronous=FULL``).

Reads have a connection and a thread of their own: in WAL mode they go on while somebody else holds the write
lock.

What can pass (locked, full, read-only, I/O errors) is retried for as long as it takes; how long a *caller*
waits is the caller's decision: cancelling a waiting call withdraws work that has not begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from schedule_zero.errors import StoreUnusable
from schedule_zero.schema import create_tables

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
_Pending = tuple[Work[Any], asyncio.Future[Any]]

#: Work that shares one commit at most; bounds how long the write lock is held.
BATCH = 256
#: Primary result codes (https://sqlite.org/rescode.html) of conditions that can pass: PERM, BUSY, LOCKED,
#: NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL.
TRANSIENT = frozenset({3, 5, 6, 7, 8, 10, 13, 14, 15})
_BUSY = frozenset({5, 6})


class StoreBusy(StoreUnusable):
    """The store did not finish an operation in the time that the caller had; it may be locked or full. Try
    again.
    """


class StoreClosed(StoreUnusable):
    """The store is closed; the operation did not happen."""


class StoreTrouble(Exception):
    """A transient SQLite error: the whole batch was rolled back and can be run again."""

    def __init__(self, cause: sqlite3.Error) -> None:
        super().__init__(str(cause))
        self.code = _primary_code(cause)


class Database:
    """A SQLite file (or a private database in memory with ``path=None``) for one event loop.

    `retry_base` and `retry_cap` bound the pause, in seconds, between attempts while the store is in trouble.

    Example::

        database = Database(Path("schedule_zero.db"))
        await database.start()
        await database.write(lambda c: c.execute("DELETE FROM idempotency"))
        await database.close()
    """

    def __init__(self, path: Path | None, *, retry_base: float = 0.01, retry_cap: float = 0.5) -> None:
        self.path = path
        self.retries = 0
        self.commits = 0
        self._retry_base = retry_base
        self._retry_cap = retry_cap
        self._trouble: str | None = None
        self._trouble_since = 0.0
        self._retrying = False
        self._pending: deque[_Pending] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._server: asyncio.Task[None] | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._write_thread: ThreadPoolExecutor | None = None
        self._read_thread: ThreadPoolExecutor | None = None

    @property
    def trouble(self) -> str | None:
        """What kept the store from working when it was last tried, or None; `probe` tries it."""
        if self._trouble is None:
            return None
        return f"{self._trouble} (for {time.monotonic() - self._trouble_since:.1f} s)"

    @property
    def is_open(self) -> bool:
        """Whether work is taken."""
        return self._server is not None and not self._closing

    async def start(self, timeout: float = 10.0) -> None:
        """Open the file and make the tables.

        Raises `StoreUnusable` when the path cannot be used at all, or not within `timeout` seconds (a lock held
        by another).
        """
        if self.path is not None:
            self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="store-write")
            self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="store-read")
        try:
            await self._open_within(timeout)
        except BaseException:
            await self.close()
            raise
        self._server = asyncio.create_task(self._serve(), name="store writer")

    async def _open_within(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                await self._in_thread(self._write_thread, self._open)
                return
            except sqlite3.Error as error:
                if _primary_code(error) not in _BUSY or time.monotonic() >= deadline:
                    raise StoreUnusable(self._cannot_open(error)) from error
            except (OSError, ValueError) as error:
                raise StoreUnusable(self._cannot_open(error)) from error
            await asyncio.sleep(self._retry_cap)

    def _cannot_open(self, error: Exception) -> str:
        where = self.path or ":memory:"
        return f"cannot use the database {where}: {error}; expected a writable SQLite file of this package"

    async def write(self, work: Work[T]) -> T:
        """Run `work` on the writing connection; returns its result once the commit that contains it is durable.

        An exception of `work` undoes that work alone and is raised here. Waits for as long as the store is in
        trouble. Work may be run more than once when a batch is repeated, so it must have no effect outside the
        database.
        """
        if not self.is_open:
            raise StoreClosed(f"the database {self.path or ':memory:'} is not open")
        if self.path is None:
            return self._inline(work)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, future))
        self._wake.set()
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, beside the writer; goes on while the write lock is held by another.

        Raises `StoreBusy` when the file cannot be read at this moment.
        """
        if not self.is_open:
            raise StoreClosed(f"the database {self.path or ':memory:'} is not open")
        if self.path is None:
            return self._inline(work)
        reader = self._reader
        assert reader is not None
        try:
            return await self._in_thread(self._read_thread, lambda: work(reader))
        except sqlite3.Error as error:
            raise StoreBusy(f"the store cannot be read: {error}") from error

    async def probe(self, timeout: float = 0.25) -> str | None:
        """None if the store takes a write within `timeout` seconds, else what is wrong with it."""
        if not self.is_open:
            return "closed"
        if self._trouble is not None and self._retrying:
            return self.trouble  # somebody is trying all the time; nobody learns more by waiting behind him
        try:
            async with asyncio.timeout(timeout):
                await self.write(_touch)
        except TimeoutError:
            return self.trouble or f"no write finished within {timeout:g} s"
        except StoreUnusable as error:
            return str(error)
        return None

    async def close(self) -> None:
        """Take no more work, fail what waits with `StoreClosed`, close the connections. Bounded: never waits
        for a lock.
        """
        self._closing = True
        self._wake.set()
        if self._server is not None:
            await asyncio.wait({self._server})
        self._fail_pending()
        await self._in_thread(self._read_thread, lambda: _close(self._reader))
        await self._in_thread(self._write_thread, lambda: _close(self._writer))
        for thread in (self._write_thread, self._read_thread):
            if thread is not None:
                thread.shutdown(wait=False)
        self._reader = self._writer = None
        self._write_thread = self._read_thread = None

    # -- the writer --------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while not self._closing:
            if not self._pending:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._commit_batch()

    async def _commit_batch(self) -> None:
        batch: list[_Pending] = []
        while self._pending and len(batch) < BATCH:
            item = self._pending.popleft()
            if not item[1].done():
                batch.append(item)
        pause = self._retry_base
        while batch:
            works: list[Work[Any]] = [partial(_unless_withdrawn, item) for item in batch]
            try:
                outcomes = await self._in_thread(self._write_thread, partial(self._transact, works))
            except StoreTrouble as trouble:
                self._note_trouble(trouble)
                self._retrying = True
                if await self._closed_within(pause):
                    break
                pause = min(pause * 2, self._retry_cap)
                # A caller who gave up has withdrawn the work: it must not happen behind his back if that can be
                # helped.
                batch = [item for item in batch if not item[1].done()]
                continue
            self._note_health()
            self._retrying = False
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)
            return
        # All of it was withdrawn: nobody tries any more, so nobody would notice the end of the trouble.
        self._retrying = False
        self._pending.extendleft(reversed(batch))

    async def _closed_within(self, pause: float) -> bool:
        if not self._closing:
            await asyncio.sleep(pause)
        return self._closing

    def _note_trouble(self, trouble: StoreTrouble) -> None:
        self.retries += 1
        if self._trouble is None:
            self._trouble_since = time.monotonic()
            logging.getLogger(__name__).warning("store in trouble, retrying until it passes: %s", trouble)
        self._trouble = str(trouble)

    def _note_health(self) -> None:
        self.commits += 1
        if self._trouble is not None:
            logging.getLogger(__name__).warning("store works again after: %s", self.trouble)
            self._trouble = None

    def _fail_pending(self) -> None:
        while self._pending:
            _, future = self._pending.popleft()
            if not future.done():
                future.set_exception(StoreClosed("the store was closed before the operation was done"))

    # -- in the threads ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        _close(self._writer)
        self._writer = None
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = _connect(self.path)
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            create_tables(self._writer)
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
        if self.path is not None and self._reader is None:
            self._reader = _connect(self.path)
            self._reader.execute("PRAGMA query_only = ON")

    def _transact(self, works: list[Work[Any]]) -> list[_Outcome]:
        """Run the batch in one transaction; raises `StoreTrouble` after undoing all of it."""
        try:
            if self._writer is None:
                self._open()
            assert self._writer is not None
            return _run_batch(self._writer, works)
        except sqlite3.Error as error:
            if _primary_code(error) not in _BUSY:
                # After an I/O error the connection's idea of the file may be stale: begin with a new one.
                _close(self._writer)
                self._writer = None
            raise StoreTrouble(error) from error
        except OSError as error:
            raise StoreTrouble(sqlite3.OperationalError(str(error))) from error

    def _inline(self, work: Work[T]) -> T:
        assert self._writer is not None
        [outcome] = _run_batch(self._writer, [work])
        self.commits += 1
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.result
        return result

    @staticmethod
    async def _in_thread(thread: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
        if thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(thread, work)


class _Outcome:
    """What one piece of work of a batch returned or raised."""

    __slots__ = ("error", "result")

    def __init__(self, result: Any = None, error: Exception | None = None) -> None:
        self.result = result
        self.error = error


def _connect(path: Path | None) -> sqlite3.Connection:
    # timeout=0: SQLite's own busy handler would sleep in C with the thread held; the retries above sleep in the
    # event loop. isolation_level=None: transactions begin where this module says so and nowhere else.
    connection = sqlite3.connect(
        ":memory:" if path is None else str(path), timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _run_batch(connection: sqlite3.Connection, works: list[Work[Any]]) -> list[_Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_run_one(connection, work) for work in works]
        connection.execute("COMMIT")
    except BaseException:
        # Some errors (FULL, IOERR) roll back by themselves, and then ROLLBACK would raise.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    return outcomes


def _run_one(connection: sqlite3.Connection, work: Work[Any]) -> _Outcome:
    connection.execute("SAVEPOINT piece")
    try:
        outcome = _Outcome(result=work(connection))
    except Exception as error:
        if isinstance(error, sqlite3.Error) and _primary_code(error) in TRANSIENT:
            raise
        connection.execute("ROLLBACK TO piece")
        outcome = _Outcome(error=error)
    connection.execute("RELEASE piece")
    return outcome


def _unless_withdrawn(item: _Pending, connection: sqlite3.Connection) -> Any:
    """Do the work unless its caller gave up since it was handed to the thread, which may have waited for a lock."""
    work, future = item
    return None if future.cancelled() else work(connection)


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _settle(future: asyncio.Future[Any], outcome: _Outcome) -> None:
    if future.done():
        return
    if outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.result)


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()


def _touch(connection: sqlite3.Connection) -> None:
    """A write that takes the lock and reaches the disk without changing anything that matters."""
    connection.execute("DELETE FROM idempotency WHERE key = ''")
