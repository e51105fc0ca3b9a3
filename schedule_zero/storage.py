"""Work on a database for one event loop: many small transactions a commit.

A piece of work is a plain function on a connection, the same for every kind of database. All work that is
waiting when the writing thread becomes free shares one transaction (group commit), so that one sync to disk, or
one way to a server and back, pays for many; the failure of one does not undo its neighbours. A result is handed
out only after the commit. Reads have a connection and a thread of their own.

What can pass is retried for as long as it takes; how long a *caller* waits is the caller's decision: cancelling
a waiting call withdraws work that has not begun.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from schedule_zero.errors import StoreUnusable
from schedule_zero.store_errors import StoreBusy, StoreClosed, StoreCorrupt, StoreReplaced, StoreTrouble

T = TypeVar("T")
#: A function on a connection (`dialect.Session`); `Any`, because SQLite's own connection is one as well.
Work = Callable[[Any], T]
_Pending = tuple[Work[Any], asyncio.Future[Any]]

#: Work that shares one commit at most; bounds how long locks are held.
BATCH: Final = 256
#: Seconds that `close` gives a transaction under way before it is cut off, where that can be done.
_LAST_MOMENT: Final = 1.0


class Done:
    """What one piece of work of a batch returned or raised."""

    __slots__ = ("error", "result")

    def __init__(self, result: Any = None, error: Exception | None = None) -> None:
        self.result = result
        self.error = error


class Storage(ABC):
    """The part that all kinds of database share; see the module's text.

    `retry_base` and `retry_cap` bound the pause, in seconds, between attempts while the store is in trouble.
    `patience` is how long, in seconds, one transaction may take before `_interrupt` is called (None: for ever).
    """

    def __init__(
        self, name: str, *, threaded: bool, retry_base: float, retry_cap: float, patience: float | None = None
    ) -> None:
        #: What the database is called in messages; no secrets in it.
        self.name = name
        self.retries = 0
        self.commits = 0
        #: Called with the seconds that each transaction took, failed ones too.
        self.on_commit: Callable[[float], None] = lambda _: None
        self._threaded = threaded
        self._retry_base = retry_base
        self._retry_cap = retry_cap
        self._patience = patience
        self._trouble: str | None = None
        self._trouble_since = 0.0
        self._damage: str | None = None
        self._replaced = False
        self._retrying = False
        self._pending: deque[_Pending] = deque()
        self._singly = 0
        self._wake = asyncio.Event()
        self._leaving = asyncio.Event()
        self._closing = False
        self._server: asyncio.Task[None] | None = None
        self._write_thread: ThreadPoolExecutor | None = None
        self._read_thread: ThreadPoolExecutor | None = None

    # -- what a kind of database does ----------------------------------------------------------------------------

    @abstractmethod
    async def _open_within(self, timeout: float) -> None:
        """Open the connections and make the tables; raises `StoreUnusable`."""

    @abstractmethod
    def _transact(self, works: list[Work[Any]]) -> list[Done]:
        """In the writing thread: all works in one transaction. Raises `StoreTrouble` after undoing all of it."""

    @abstractmethod
    def _look(self, work: Work[T]) -> T:
        """In the reading thread: do the work. Raises `StoreUnusable`."""

    @abstractmethod
    def _close_reader(self) -> None:
        """In the reading thread."""

    @abstractmethod
    def _close_writer(self) -> None:
        """In the writing thread."""

    def _interrupt(self) -> None:  # noqa: B027 - not every kind of database has something to cut off
        """Cut off what the threads are doing, if that can be done: called from the event loop."""

    @property
    def offset(self) -> int:
        """By how much this machine's clock is ahead of the database's, in microseconds; 0 where they are one."""
        return 0

    # -- life ----------------------------------------------------------------------------------------------------

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
        """Open the database and make the tables.

        Raises `StoreUnusable` when it cannot be used at all, or not within `timeout` seconds (a lock held by
        another, a server that does not answer).
        """
        if self._threaded:
            self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="store-write")
            self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="store-read")
        try:
            await self._open_within(timeout)
        except BaseException:
            await self.close()
            raise
        self._server = asyncio.create_task(self._serve(), name="store writer")

    async def close(self) -> None:
        """Take no more work, fail what waits with `StoreClosed`, close the connections. Bounded: never waits
        for a lock.
        """
        self._closing = True
        self._leaving.set()
        self._wake.set()
        if self._server is not None:
            await asyncio.wait({self._server}, timeout=None if self._patience is None else _LAST_MOMENT)
            if not self._server.done():
                self._interrupt()
                await asyncio.wait({self._server})
        self._fail_pending()
        await self._in_thread(self._read_thread, self._close_reader)
        await self._in_thread(self._write_thread, self._close_writer)
        for thread in (self._write_thread, self._read_thread):
            if thread is not None:
                thread.shutdown(wait=False)
        self._write_thread = self._read_thread = None

    # -- work ----------------------------------------------------------------------------------------------------

    async def write(self, work: Work[T]) -> T:
        """Run `work` on the writing connection; returns its result once the commit that contains it is durable.

        An exception of `work` undoes that work alone and is raised here. Waits for as long as the store is in
        trouble. Work may be run more than once when a batch is repeated, so it must have no effect outside the
        database.
        """
        self._require_open()
        if not self._threaded:
            return self._inline(work)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, future))
        self._wake.set()
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, beside the writer.

        Raises `StoreBusy` when the database cannot be read at this moment, `StoreCorrupt` when it is damaged.
        """
        self._require_open()
        if not self._threaded:
            return self._inline(work)
        try:
            return await self._bounded(self._read_thread, lambda: self._look(work))
        except StoreCorrupt as error:
            self._note_damage(error)
            raise

    async def probe(self, timeout: float = 0.25) -> str | None:
        """None if the store takes a write within `timeout` seconds, else what is wrong with it."""
        if not self.is_open:
            return "closed"
        if self._damage is not None:
            return self._damage
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

    def _require_open(self) -> None:
        if not self.is_open:
            raise StoreClosed(f"the database {self.name} is not open")

    def _inline(self, work: Work[T]) -> T:
        try:
            [outcome] = self._transact([work])
        except StoreTrouble as trouble:
            raise StoreBusy(f"the store in memory failed: {trouble}") from trouble
        self.commits += 1
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.result
        return result

    # -- the writer ----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while not self._closing:
            if not self._pending:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._commit_batch()

    def _take(self) -> list[_Pending]:
        batch: list[_Pending] = []
        most = 1 if self._singly else BATCH
        while self._pending and len(batch) < most:
            self._singly = max(0, self._singly - 1)
            item = self._pending.popleft()
            if not item[1].done():
                batch.append(item)
        return batch

    async def _commit_batch(self) -> None:
        batch = self._take()
        # The same functions at every attempt: a database may have to tell later what became of one.
        works: dict[int, Work[Any]] = {id(item): partial(_unless_withdrawn, item) for item in batch}
        pause = self._retry_base
        while batch:
            try:
                outcomes = await self._timed([works[id(item)] for item in batch])
            except StoreTrouble as trouble:
                if trouble.contended:
                    # One of them waits for a lock of somebody else: alone, and behind the others, it holds up none.
                    self.retries += 1
                    self._pending.extend(batch)
                    self._singly = len(self._pending)
                    return
                self._note_trouble(trouble)
                self._retrying = True
                if await self._closed_within(pause):
                    break
                pause = min(pause * 2, self._retry_cap)
                # A caller who gave up has withdrawn the work: it must not happen behind his back if that can be
                # helped.
                batch = [item for item in batch if not item[1].done()]
                continue
            self._note(outcomes)
            self._retrying = False
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)
            return
        # All of it was withdrawn: nobody tries any more, so nobody would notice the end of the trouble.
        self._retrying = False
        self._pending.extendleft(reversed(batch))

    async def _timed(self, works: list[Work[Any]]) -> list[Done]:
        begun = time.monotonic()
        try:
            return await self._bounded(self._write_thread, partial(self._transact, works))
        finally:
            self.on_commit(time.monotonic() - begun)

    async def _closed_within(self, pause: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._leaving.wait()
        return self._closing

    def _note(self, outcomes: list[Done]) -> None:
        errors = [outcome.error for outcome in outcomes]
        damage = next((error for error in errors if isinstance(error, StoreCorrupt)), None)
        if damage is not None:
            self._note_damage(damage)
        if isinstance(errors[0], StoreReplaced):
            self._note_replaced(errors[0])
        elif not all(isinstance(error, StoreCorrupt) for error in errors):
            self._note_health()

    def _note_damage(self, error: StoreCorrupt) -> None:
        if self._damage is None:
            logging.getLogger(__name__).error("the store is damaged, and what meets the damage fails: %s", error)
        self._damage = str(error)

    def _note_trouble(self, trouble: StoreTrouble) -> None:
        self.retries += 1
        if self._trouble is None:
            self._trouble_since = time.monotonic()
            logging.getLogger(__name__).warning("store in trouble, retrying until it passes: %s", trouble)
        self._trouble = str(trouble)

    def _note_health(self) -> None:
        self.commits += 1
        if self._replaced:
            logging.getLogger(__name__).warning("the database %s is back, and takes writes again", self.name)
            self._replaced = False
        if self._trouble is not None:
            logging.getLogger(__name__).warning("store works again after: %s", self.trouble)
            self._trouble = None

    def _note_replaced(self, error: StoreReplaced) -> None:
        if not self._replaced:
            logging.getLogger(__name__).error("%s", error)
        self._replaced = True

    def _fail_pending(self) -> None:
        while self._pending:
            _, future = self._pending.popleft()
            if not future.done():
                future.set_exception(StoreClosed("the store was closed before the operation was done"))

    # -- threads -------------------------------------------------------------------------------------------------

    async def _bounded(self, thread: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
        if self._patience is None:
            return await self._in_thread(thread, work)
        running = asyncio.ensure_future(self._in_thread(thread, work))
        # Its caller may give up; then nobody else asks what became of it.
        running.add_done_callback(lambda it: it.cancelled() or it.exception())
        done, _ = await asyncio.wait({running}, timeout=self._patience)
        if not done:
            self._interrupt()
        return await running

    @staticmethod
    async def _in_thread(thread: ThreadPoolExecutor | None, work: Callable[[], T]) -> T:
        if thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(thread, work)


def _unless_withdrawn(item: _Pending, connection: Any) -> Any:
    """Do the work unless its caller gave up since it was handed to the thread, which may have waited for a lock."""
    work, future = item
    return None if future.cancelled() else work(connection)


def _settle(future: asyncio.Future[Any], outcome: Done) -> None:
    if future.done():
        return
    if outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.result)


def _touch(connection: Any) -> None:
    """A write that takes the lock and reaches the disk without changing anything that matters."""
    connection.execute("DELETE FROM idempotency WHERE key = ''")
