"""Statements written once for both databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from schedule_zero.dialect import every, for_update, select, to_postgres, upsert
from schedule_zero.schema import TABLES

pytestmark = pytest.mark.unit


def test_definitions_are_put_into_postgresqls_words() -> None:
    """64-bit numbers, an identity column, order by code point, and no WITHOUT ROWID."""
    given = "CREATE TABLE t (seq INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, s TEXT) WITHOUT ROWID"
    wanted = 'CREATE TABLE t (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n BIGINT, s TEXT COLLATE "C")'
    assert to_postgres(given) == wanted


def test_no_definition_keeps_a_word_of_sqlites_own() -> None:
    """Whatever is added to the tables is translated."""
    words = ("AUTOINCREMENT", "ROWID", "INTEGER", "?")
    assert [word for table in TABLES for word in words if word in to_postgres(table)] == []


def test_an_upsert_changes_all_but_the_key() -> None:
    """On SQLite itself: a second row with the same key takes the place of the first, in the same row."""
    with closing(sqlite3.connect(":memory:")) as c:
        c.execute('CREATE TABLE t (id TEXT PRIMARY KEY, "trigger" TEXT, n INTEGER)')
        statement = upsert("t", 'id, "trigger", n')
        c.execute(statement, ("a", "x", 1))
        c.execute(statement, ("a", "y", 2))
        assert select(c, "SELECT * FROM t") == [("a", "y", 2)]


def test_rows_are_found_by_any_number_of_values() -> None:
    """More values than one statement takes are asked for in pieces."""
    with closing(sqlite3.connect(":memory:")) as c:
        c.execute("CREATE TABLE t (n INTEGER)")
        c.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(2000)])
        found = every(c, "SELECT n FROM t WHERE n IN ({})", list(range(500, 1800)))
        assert [row[0] for row in found] == list(range(500, 1800))
        assert every(c, "SELECT n FROM t WHERE n IN ({})", []) == []


def test_sqlite_has_no_row_locks() -> None:
    """Where one connection writes, nothing is to be passed over."""
    with closing(sqlite3.connect(":memory:")) as c:
        assert for_update(c) == ""
