"""Real SQLite in virtual time: a connection waits for locks as SQLite would, without real time passing.

The engine's own busy handler is off (it would sleep in C with the baton in hand). A statement that meets a lock is
tried again after SQLite's own delays, where SQLite would have called its handler: not inside a transaction that
holds a lock already, not for SQLITE_BUSY_SNAPSHOT (https://sqlite.org/c3ref/busy_handler.html).
"""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from harness.sim.polling import not_yet
from harness.sim.timers import us

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

REAL_CONNECT: Final = sqlite3.connect
DELAYS: Final = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)
"""Milliseconds between two tries; the last one again and again (``sqliteDefaultBusyCallback`` in main.c)."""
_SNAPSHOT: Final = 517
"""SQLITE_BUSY_SNAPSHOT: what was read is outdated; waiting cannot help."""
_ENDING: Final = re.compile(r"\s*(COMMIT|END)\b", re.IGNORECASE)
_BEGINNING: Final = re.compile(r"\s*(BEGIN(?!\s+(IMMEDIATE|EXCLUSIVE))|SAVEPOINT|ROLLBACK|RELEASE)\b", re.IGNORECASE)
_WRITING: Final = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|VACUUM|REINDEX|WITH|COMMIT|END|BEGIN\s+(IMMEDIATE|EXCLUSIVE))\b",
    re.IGNORECASE,
)
_BUSY_TIMEOUT: Final = re.compile(r"\s*PRAGMA\s+busy_timeout\s*(?:[=(]\s*(-?\d+)\s*\)?)?\s*;?\s*$", re.IGNORECASE)
_SYNCHRONOUS: Final = re.compile(
    r"\s*PRAGMA\s+(?:\w+\.)?synchronous\s*(?:[=(]\s*['\"]?(\w+)['\"]?\s*\)?)?\s*;?\s*$", re.IGNORECASE
)
_LEVELS: Final = {
    word: level
    for level, words in enumerate(("0 off no false", "1 normal on yes true", "2 full", "3 extra"))
    for word in words.split()
}
_PARAMETERS: Final = (
    *("database", "timeout", "detect_types", "isolation_level", "check_same_thread"),
    *("factory", "cached_statements", "uri"),
)


class Session:
    """What one connection needs beside the engine: its patience, its thread, whether it holds a lock."""

    def __init__(self, machine: Machine, path: str, timeout: float, thread: int | None) -> None:
        self.machine = machine
        self.path = path
        self.timeout = us(timeout)
        self.thread = thread
        self.holds_lock = False
        self.level = _LEVELS["full"]
        """What the program has set ``synchronous`` to. The engine itself never waits for a real disk."""
        self.hurried = False
        self.turn = threading.RLock()
        self.cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def perform(self, connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        """Run one statement, with waits for locks and with the disk's faults."""
        self.require_thread()
        self.machine.state()
        try:
            with self.turn:
                return self._perform(connection, sql, call)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                not_yet()  # with a time-out of 0 nothing was waited for: who tries again and again polls
            raise

    def _perform(self, connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        if not self.hurried:
            self.hurry(connection)
        self.machine.disk.before_statement(self.path, connection, bool(_WRITING.match(sql)))
        answer = self._try(connection, sql, call)
        inside = connection.in_transaction
        if not inside:
            if self.machine.disk.durable and (self.holds_lock or _WRITING.match(sql)):
                self.machine.disk.committed(self.path, connection, self.level)
            self.holds_lock = False
        elif not _BEGINNING.match(sql):
            self.holds_lock = True
        return answer

    def _try(self, connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        waited, tries = 0, 0
        while True:
            try:
                return call()
            except sqlite3.OperationalError as error:
                left = self.timeout - waited
                if left <= 0 or not self._may_wait(connection, sql, error):
                    raise
                pause = min(1000 * DELAYS[min(tries, len(DELAYS) - 1)], left)
                tries += 1
                waited += pause
            self.machine.kernel.sleep(pause)

    def _may_wait(self, connection: sqlite3.Connection, sql: str, error: sqlite3.OperationalError) -> bool:
        code = error.sqlite_errorcode
        if code & 0xFF != sqlite3.SQLITE_BUSY or code == _SNAPSHOT:
            return False
        return not (connection.in_transaction and self.holds_lock) or bool(_ENDING.match(sql))

    def hurry(self, connection: sqlite3.Connection) -> None:
        """Have the engine sync nothing: what would survive a loss of power is for `disk` to say."""
        # The pragma reads the schema: it fails while the file is locked, or is no database. Then the next
        # statement tries again.
        with contextlib.suppress(sqlite3.Error):
            sqlite3.Cursor.execute(sqlite3.Cursor(connection), "PRAGMA synchronous = OFF")
            self.hurried = True

    def answer(self, sql: str) -> str | None:
        """What to ask the engine instead of a pragma whose value is kept here."""
        asked = _BUSY_TIMEOUT.match(sql)
        if asked:
            if asked[1] is not None:
                self.timeout = max(0, int(asked[1])) * 1000
            return f"SELECT {self.timeout // 1000} AS timeout"
        asked = _SYNCHRONOUS.match(sql)
        if asked is None:
            return None
        if asked[1] is None:
            return f"SELECT {self.level} AS synchronous"
        self.level = _LEVELS.get(asked[1].lower(), 1)
        return "SELECT NULL AS synchronous LIMIT 0"

    def require_thread(self) -> None:
        """Raise what sqlite3 raises for a connection that is used by another thread than its own."""
        if self.thread is not None and threading.get_ident() != self.thread:
            raise sqlite3.ProgrammingError(
                "SQLite objects created in a thread can only be used in that same thread. The object was created in "
                f"thread id {self.thread} and this is thread id {threading.get_ident()}."
            )


class SimCursor(sqlite3.Cursor):
    """A cursor whose statements wait in virtual time."""

    def execute(self, sql: str, parameters: Any = (), /) -> SimCursor:
        """Run one statement."""
        session: Session = self.connection._session  # type: ignore[attr-defined]
        instead = session.answer(sql)
        if instead is not None:
            sql, parameters = instead, ()
        session.perform(self.connection, sql, lambda: sqlite3.Cursor.execute(self, sql, parameters))
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> SimCursor:
        """Run one statement for each set of parameters."""
        rows = list(parameters)
        session: Session = self.connection._session  # type: ignore[attr-defined]
        session.perform(self.connection, sql, lambda: sqlite3.Cursor.executemany(self, sql, rows))
        return self

    def executescript(self, sql_script: str, /) -> SimCursor:
        """Run many statements, each with waits of its own."""
        connection: Any = self.connection
        legacy = getattr(connection, "autocommit", -1) == -1
        if legacy and connection.in_transaction:
            connection.commit()
        level = connection.isolation_level
        if legacy and level is not None:
            connection.isolation_level = None
        try:
            for statement in statements(sql_script):
                self.execute(statement)
        finally:
            if legacy and level is not None:
                connection.isolation_level = level
        return self


class SimConnection(sqlite3.Connection):
    """A connection whose statements wait in virtual time. `bind` is called right after it is made."""

    _session: Session

    def cursor(self, factory: Any = SimCursor) -> Any:
        """A cursor; a factory of the user's is combined with `SimCursor`."""
        self._session.require_thread()
        cursor = super().cursor(_combined(SimCursor, factory))
        self._session.cursors.add(cursor)
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement on a new cursor."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement many times on a new cursor."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        """Run many statements on a new cursor."""
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        """End the transaction."""
        self._session.perform(self, "COMMIT", lambda: sqlite3.Connection.commit(self))

    def rollback(self) -> None:
        """Undo the transaction."""
        self._session.perform(self, "ROLLBACK", lambda: sqlite3.Connection.rollback(self))

    def backup(self, target: sqlite3.Connection, **options: Any) -> None:
        """Copy it; the pages in virtual time between steps."""
        self._session.require_thread()
        options.pop("sleep", None)
        super().backup(target, **options)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        if error is not None or kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except sqlite3.Error:
            self.rollback()
            raise
        return False

    def close(self) -> None:
        """Close it; what was not committed is undone."""
        self._session.require_thread()
        self._session.machine.state().connections.pop(id(self), None)
        super().close()


def abandon(connection: sqlite3.Connection) -> None:
    """End a connection of a dead process: what was not committed is undone, its locks are free.

    A statement that is still under way would keep the closed connection, and its lock, alive for as long as its cursor
    (``sqlite3_close_v2``): the dead do not hold locks.
    """
    session: Session | None = getattr(connection, "_session", None)
    for cursor in tuple(session.cursors) if session is not None else ():
        with contextlib.suppress(sqlite3.Error):
            sqlite3.Cursor.close(cursor)
    sqlite3.Connection.close(connection)


def connecting(machine: Machine) -> Callable[..., sqlite3.Connection]:
    """What stands for ``sqlite3.connect`` in one world."""

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        options = {**dict(zip(_PARAMETERS, args, strict=False)), **kwargs}
        timeout = options.pop("timeout", 5.0)
        own_thread = options.pop("check_same_thread", True)
        factory = _combined(SimConnection, options.pop("factory", SimConnection))
        database = options.pop("database")
        machine.disk.before_open(database, 0)
        connection: Any = REAL_CONNECT(database, timeout=0.0, check_same_thread=False, factory=factory, **options)
        path = _path(connection)
        session = Session(machine, path, timeout, threading.get_ident() if own_thread else None)
        session.hurry(connection)
        machine.sql.give(connection)
        connection._session = session
        machine.state().connections[id(connection)] = connection
        return connection  # type: ignore[no-any-return]

    return connect


def _path(connection: sqlite3.Connection) -> str:
    """The file; empty for a database in memory."""
    for _, name, file in sqlite3.Cursor(connection).execute("PRAGMA database_list"):
        if name == "main":
            return str(file or "")
    return ""


@functools.lru_cache(maxsize=64)
def _combined(ours: type[Any], theirs: Any) -> Any:
    """A class that is both."""
    if not isinstance(theirs, type):
        return theirs
    if issubclass(theirs, ours):
        return theirs
    if issubclass(ours, theirs):
        return ours
    return type(theirs.__name__, (theirs, ours), {})


def statements(script: str) -> Iterator[str]:
    """The statements of a script, each complete, the last one also without its semicolon."""
    begin = 0
    for match in re.finditer(";", script):
        part = script[begin : match.end()]
        if sqlite3.complete_statement(part):
            if part.strip(" \t\r\n;"):
                yield part
            begin = match.end()
    rest = script[begin:]
    if rest.strip():
        yield rest
