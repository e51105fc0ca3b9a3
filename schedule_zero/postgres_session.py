"""One connection to PostgreSQL, as the store's work sees it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from schedule_zero.dialect import Rows, to_postgres

__all__ = ["LIMITS", "Offset", "PostgresSession", "connect"]

#: Settings of every session, in PostgreSQL's own words. A server that is stopped or cut off in the midst of a
#: transaction loses its locks after a few seconds, and nobody waits longer than a second for somebody's lock.
LIMITS: Final = {
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
}
#: Ours of the connection: the same for the side that may be cut off unawares.
_CLIENT: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_BEGIN: Final = b"BEGIN; SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint, pg_current_xact_id()::text"
#: Seconds for which a good measurement of the clocks' difference is preferred to worse ones.
_FRESH: Final = 30.0


class Offset:
    """By how much this machine's clock is ahead of another's: of the latest measurements, the most exact one."""

    def __init__(self) -> None:
        #: In microseconds.
        self.ahead = 0
        self._exactness = float("inf")
        self._when = 0.0

    def measured(self, exactness: float, ahead: int, when: float) -> None:
        """A measurement that took `exactness` seconds, at the monotonic time `when`."""
        if exactness <= self._exactness or when - self._when > _FRESH:
            self.ahead, self._exactness, self._when = ahead, exactness, when


class PostgresSession:
    """A connection with the parameters, the clock and the transactions that the store wants.

    It belongs to one thread; `cut` alone may be called from others.
    """

    def __init__(self, connection: psycopg.Connection[Any], offset: Offset | None = None) -> None:
        self._connection = connection
        self.offset = offset or Offset()
        self._clock = (0, 0.0)
        #: The number of the transaction under way, by which its fate can be asked for later.
        self.transaction = ""

    @property
    def pid(self) -> int:
        """The number of the server's process for this session."""
        return self._connection.info.backend_pid

    @property
    def version(self) -> int:
        """The server's version, such as 180003 for 18.3."""
        return self._connection.info.server_version

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement, written for SQLite (see `dialect`)."""
        return self._connection.execute(to_postgres(query).encode(), _clean(values) if values else None)

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run one statement with each of these rows, in one way to the server and back."""
        prepared = [_clean(row) for row in rows]
        if prepared:
            self._connection.cursor().executemany(to_postgres(query).encode(), prepared)

    def clock(self) -> int:
        """The database's present instant in microseconds since the epoch; one look a transaction."""
        micros, seen = self._clock
        return micros + int((time.monotonic() - seen) * 1_000_000)

    def begin(self) -> None:
        """Begin a transaction, with a look at the clock."""
        sent, wall = time.monotonic(), time.time_ns() // 1000
        answers = self._connection.execute(_BEGIN)
        answers.nextset()
        row = answers.fetchone()
        assert row is not None
        seen = time.monotonic()
        self._clock = (row[0], seen)
        self.transaction = row[1]
        # The database looked at its clock somewhere between asking and hearing.
        self.offset.measured(seen - sent, wall + int((seen - sent) * 500_000) - row[0], seen)

    def commit(self) -> None:
        """End the transaction; when the connection is lost here nobody knows whether it happened."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction, as far as there is still a connection to do it on."""
        with contextlib.suppress(psycopg.Error):
            self._connection.execute("ROLLBACK")

    def fate(self, transaction: str) -> str | None:
        """``committed``, ``aborted``, ``in progress``, or None if the server remembers it no more."""
        row = self._connection.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
        return None if row is None else row[0]

    def cut(self) -> None:
        """Break the connection, from any thread: whoever waits on it gets an error at once."""
        # libpq itself must not be used from another thread, but its socket's other name may be.
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as it:
            it.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def connect(
    conninfo: str, schema: str, *, application: str, timeout: float, offset: Offset | None = None, writable: bool = True
) -> PostgresSession:
    """A session in that schema, each statement a transaction of its own unless `begin` is called.

    Raises `psycopg.Error`; `timeout`, in seconds, bounds the making of the connection.
    """
    connection = psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=max(1, round(timeout)),
        application_name=application[:63],
        **_CLIENT,
    )
    try:
        settings = ", ".join(["set_config(%s, %s, false)"] * len(LIMITS))
        connection.execute(f"SELECT {settings}".encode(), [word for pair in LIMITS.items() for word in pair])
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        if not writable:
            connection.execute("SET default_transaction_read_only = on")
    except BaseException:
        connection.close()
        raise
    return PostgresSession(connection, offset)


def _clean(values: Sequence[Any]) -> tuple[Any, ...]:
    """PostgreSQL's text cannot hold U+0000, which a handler's error message may contain."""
    return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values)
