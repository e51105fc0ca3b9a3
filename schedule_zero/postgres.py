"""A PostgreSQL database that several servers share.

It works as the SQLite one does (`storage`): plain functions on a connection, in one thread for writing and one for
reading, all that waits in one transaction. Synchronous connections in threads, rather than psycopg's asynchronous
ones, because the work is the same functions for both databases, and neither ever blocks the event loop.

What differs is that the way to the database can be cut, at any moment and without a word:

* A transaction that takes longer than `PATIENCE` has its connection broken, and is run again on another.
* When the connection is lost during COMMIT, PostgreSQL is asked what became of the transaction
  (``pg_xact_status``) before anything is repeated.
* Locks of others are waited for one second; then the pieces of the batch are run one by one, so that one that
  waits holds up no other (`StoreTrouble.contended`).
* A server of the same identity is kept out by an advisory lock for as long as this one is connected: the jobs
  of an identity are its own at once after a restart, and must not be taken from one that lives.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors

from schedule_zero.errors import StoreUnusable
from schedule_zero.postgres_schema import is_ready, prepare
from schedule_zero.postgres_session import Offset, PostgresSession, connect
from schedule_zero.postgres_url import Address
from schedule_zero.storage import Done, Storage, Work
from schedule_zero.store_errors import StoreAway, StoreBusy, StoreTrouble

__all__ = ["PATIENCE", "PostgresDatabase"]

T = TypeVar("T")

#: Seconds that one transaction, or one look, may take before its connection is broken.
PATIENCE: Final = 8.0
#: Seconds for the making of one connection.
_CONNECT: Final = 3.0
#: Clocks that agree to so many microseconds are taken to be one.
_SAME: Final = 1000
_END_FORMER: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ? AND usename = user AND application_name = ?"
)
_CONTENDED: Final = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
#: What comes back when somebody restores a dump, or the rights.
_VANISHED: Final = (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege)
#: The fault of a statement or its values, not of the database.
_OWN_FAULT: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)
#: What never passes by itself, in the words of a server that refuses a connection (libpq tells no code then).
_REFUSALS: Final = ("password", "does not exist", "pg_hba.conf", "permission denied", "not permitted to log in")


class PostgresDatabase(Storage):
    """A schema of a PostgreSQL database for one event loop, and for one of its servers: `identity`.

    `retry_base` and `retry_cap` bound the pause, in seconds, between attempts while the database is away.

    Example::

        database = PostgresDatabase(parse("postgresql://scheduler@db.example/jobs"), identity="east")
        await database.start()
    """

    def __init__(self, address: Address, *, identity: str, retry_base: float = 0.05, retry_cap: float = 2.0) -> None:
        super().__init__(address.shown, threaded=True, retry_base=retry_base, retry_cap=retry_cap, patience=PATIENCE)
        self.address = address
        self.identity = identity
        self._opening: PostgresSession | None = None
        self._writer: PostgresSession | None = None
        self._reader: PostgresSession | None = None
        self._offset = Offset()
        self._former = 0
        #: The transaction whose COMMIT nobody has answered: its number, and what its works came to.
        self._undecided: tuple[str, dict[Work[Any], Done]] | None = None

    @property
    def offset(self) -> int:
        """By how much this machine's clock is ahead of the database's, in microseconds."""
        ahead = self._offset.ahead
        return ahead if abs(ahead) > _SAME else 0

    @property
    def _application(self) -> str:
        return f"schedule_zero {self.identity}"[:63]

    @property
    def channel(self) -> str:
        """The channel on which the servers of this schema tell each other their events."""
        return f"{self.address.schema}_events"

    async def _open_within(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                await self._bounded(self._write_thread, lambda: self._open(first=True))
                await self._bounded(self._read_thread, self._open_reader)
                return
            except psycopg.Error as error:
                if any(words in str(error) for words in _REFUSALS):
                    advice = "check the user, the password and the database's name in the store's URL, and the rights"
                    raise self._cannot_open(error, advice) from error
                if time.monotonic() >= deadline:
                    advice = "check that it runs, and the address in the store's URL"
                    raise self._cannot_open(error, advice, StoreAway) from error
            except _Taken as error:
                if time.monotonic() >= deadline:
                    raise StoreUnusable(str(error)) from None
            await asyncio.sleep(self._retry_cap / 4)

    def _cannot_open(
        self, error: Exception, advice: str, kind: type[StoreUnusable] = StoreUnusable
    ) -> StoreUnusable:
        return kind(f"cannot use the database {self.name}: {str(error).strip()}; {advice}")

    def _interrupt(self) -> None:
        for session in (self._opening, self._writer, self._reader):
            if session is not None:
                session.cut()

    # -- in the threads ------------------------------------------------------------------------------------------

    def _connect(self, *, writable: bool = True) -> PostgresSession:
        return connect(
            self.address.conninfo,
            self.address.schema,
            application=self._application,
            timeout=_CONNECT,
            offset=self._offset,
            writable=writable,
        )

    def _open(self, *, first: bool = False) -> PostgresSession:
        self._close_writer()
        session = self._opening = self._connect()
        try:
            self._take_place(session)
            if first and not is_ready(session, self.address.schema, self.name):
                self._opening = None  # may take longer than `PATIENCE`, and is not cut off
                prepare(session, self.address.schema, self.name)
        except BaseException:
            session.close()
            raise
        finally:
            self._opening = None
        self._writer, self._former = session, session.pid
        return session

    def _take_place(self, session: PostgresSession) -> None:
        """Be the one server of this identity; the session that was ours before may still linger, and is ended."""
        name = f"{self.address.schema}/{self.identity}"
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        if self._former:
            ours = (self._former, self._application)
            session.execute(_END_FORMER, ours)
        row = session.execute("SELECT pg_try_advisory_lock(?)", (key,)).fetchone()
        if not row[0]:
            raise _Taken(
                f"another server called {self.identity!r} is connected to the database {self.name}: stop it, or give"
                " this one a name of its own (server_id)"
            )

    def _open_reader(self) -> PostgresSession:
        self._close_reader()
        self._reader = self._connect(writable=False)
        return self._reader

    def _look(self, work: Work[T]) -> T:
        try:
            if self._reader is not None:
                try:
                    return work(self._reader)
                except psycopg.Error as error:
                    # The connection may have been lost long ago: ask again on a new one.
                    if not _passes(error):
                        raise
            return work(self._open_reader())
        except psycopg.Error as error:
            if not _passes(error):
                raise
            self._close_reader()
            raise StoreBusy(f"the store cannot be read: {str(error).strip()}") from error

    def _transact(self, works: list[Work[Any]]) -> list[Done]:
        try:
            session = self._writer or self._open()
            return self._decided(session, works) or self._run_batch(session, works)
        except _CONTENDED as error:
            raise StoreTrouble(error, contended=True) from error
        except (psycopg.Error, OSError, _Taken) as error:
            self._close_writer()
            raise StoreTrouble(error) from error

    def _decided(self, session: PostgresSession, works: list[Work[Any]]) -> list[Done] | None:
        """What these works came to in the transaction that was lost at its end, if it was carried out."""
        if self._undecided is None:
            return None
        transaction, outcomes = self._undecided
        fate = session.fate(transaction)
        if fate == "in progress":
            raise StoreTrouble(RuntimeError("the server has not noticed yet that the connection was lost"))
        self._undecided = None
        known = [outcomes[work] for work in works if work in outcomes]
        return known if fate == "committed" and len(known) == len(works) else None

    def _run_batch(self, session: PostgresSession, works: list[Work[Any]]) -> list[Done]:
        session.begin()
        try:
            # Without savepoints first, which would be two more ways to the server for each piece: few pieces fail.
            try:
                outcomes = [Done(result=work(session)) for work in works]
            except Exception as error:
                if _passes(error):
                    raise
                session.rollback()
                session.begin()
                outcomes = [_apart(session, work) for work in works]
        except BaseException:
            session.rollback()
            raise
        self._undecided = (session.transaction, dict(zip(works, outcomes, strict=True)))
        session.commit()
        self._undecided = None
        return outcomes

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class _Taken(Exception):
    """The identity is in use by another session."""


def _passes(error: Exception) -> bool:
    """Whether an error is the database's, and may pass, rather than the fault of one piece of work."""
    if not isinstance(error, psycopg.Error):
        return False
    return isinstance(error, _VANISHED) or not isinstance(error, _OWN_FAULT)


def _apart(session: PostgresSession, work: Work[Any]) -> Done:
    """One piece, so that its failure undoes itself alone."""
    session.execute("SAVEPOINT piece")
    try:
        outcome = Done(result=work(session))
    except Exception as error:
        if _passes(error):
            raise
        session.execute("ROLLBACK TO piece")
        outcome = Done(error=error)
    session.execute("RELEASE piece")
    return outcome
