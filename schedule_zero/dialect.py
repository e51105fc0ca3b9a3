"""Where SQLite and PostgreSQL differ, in one place.

The statements of the store are written once, for SQLite, in the words that both understand: ``ON CONFLICT``,
``RETURNING``, common table expressions, ``?`` for parameters. `to_postgres` translates the rest.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, cast

from schedule_zero.schema import now_micros

__all__ = ["Rows", "Session", "SharedSession", "every", "for_update", "now", "select", "to_postgres", "upsert"]


class Rows(Protocol):
    """What a statement answers: a cursor of either database."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Session(Protocol):
    """What the store's work is done on: SQLite's connection as it is, or a `SharedSession`."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement with each of these rows."""


class SharedSession(Session, Protocol):
    """A session on a database that other servers write to as well, and whose clock counts."""

    def clock(self) -> int:
        """The database's present instant, in microseconds since the epoch."""


def now(c: Session) -> int:
    """The present instant by the clock that leases are held by, in microseconds since the epoch."""
    return now_micros() if isinstance(c, sqlite3.Connection) else cast("SharedSession", c).clock()


def for_update(c: Session) -> str:
    """The end of a query whose rows are about to be changed: pass over those that another server is changing."""
    return "" if isinstance(c, sqlite3.Connection) else " FOR UPDATE SKIP LOCKED"


def select(c: Session, query: str, *values: Any) -> list[Any]:
    """All rows of a query."""
    return c.execute(query, values).fetchall()


#: As many values as go into one statement; SQLite takes 32,766 at most, older ones 999.
_PIECE: Final = 500


def every(c: Session, query: str, values: Sequence[Any]) -> list[Any]:
    """All rows of a query that ends in ``IN ({})``, for any number of values."""
    rows: list[Any] = []
    for begin in range(0, len(values), _PIECE):
        piece = values[begin : begin + _PIECE]
        rows += select(c, query.format(",".join("?" * len(piece))), *piece)
    return rows


def upsert(table: str, columns: str, *, key: str = "id") -> str:
    """The statement that inserts a row, or puts it in the place of the one with its key."""
    names = [name.strip() for name in columns.split(",")]
    marks = ",".join("?" * len(names))
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changes}"


_DEFINITIONS: Final = (
    (re.compile(r"INTEGER PRIMARY KEY AUTOINCREMENT"), "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    # Order by code point, as SQLite does, whatever the database's language.
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\s*WITHOUT ROWID"), ""),
)


@functools.lru_cache(maxsize=512)
def to_postgres(query: str) -> str:
    """The statement in PostgreSQL's words, with psycopg's parameters.

    >>> to_postgres("SELECT 1 FROM jobs WHERE id = ?")
    'SELECT 1 FROM jobs WHERE id = %s'
    >>> to_postgres("CREATE TABLE t (n INTEGER) WITHOUT ROWID")
    'CREATE TABLE t (n BIGINT)'
    """
    if query.startswith(("CREATE TABLE", "ALTER TABLE")):
        for pattern, words in _DEFINITIONS:
            query = pattern.sub(words, query)
    return query.replace("?", "%s")
