"""A store that an older version has made is brought up to date, once and as a whole, and nothing in it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from schedule_zero.database import Database
from schedule_zero.dialect import to_postgres
from schedule_zero.errors import StoreUnusable
from schedule_zero.migrations import STEPS
from schedule_zero.postgres import PostgresDatabase
from schedule_zero.postgres_session import LIMITS
from schedule_zero.postgres_url import parse
from schedule_zero.schema import SCHEMA_VERSION
from schedule_zero.store_errors import StoreTooNew

pytestmark = pytest.mark.integration

Within = Callable[..., None]

FIRST = (
    """CREATE TABLE tasks (
        id TEXT PRIMARY KEY, func TEXT, job_executor TEXT NOT NULL, max_running_jobs INTEGER,
        misfire_grace INTEGER, metadata TEXT NOT NULL)""",
    """CREATE TABLE schedules (
        id TEXT PRIMARY KEY, task_id TEXT NOT NULL, "trigger" TEXT NOT NULL, kwargs TEXT NOT NULL,
        paused INTEGER NOT NULL, "coalesce" TEXT NOT NULL, misfire_grace INTEGER, max_jitter INTEGER,
        job_executor TEXT NOT NULL, metadata TEXT NOT NULL, last_fire INTEGER, next_fire INTEGER,
        acquired_by TEXT, acquired_until INTEGER)""",
    "CREATE INDEX schedules_due ON schedules (next_fire)",
    """CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL, kwargs TEXT NOT
        NULL, schedule_id TEXT, scheduled_fire INTEGER, jitter INTEGER NOT NULL, start_deadline INTEGER,
        job_executor TEXT NOT NULL, metadata TEXT NOT NULL, created_at INTEGER NOT NULL, acquired_by TEXT,
        acquired_until INTEGER)""",
    "CREATE INDEX jobs_waiting ON jobs (task_id, seq) WHERE acquired_by IS NULL",
    "CREATE INDEX jobs_overdue ON jobs (start_deadline) WHERE acquired_by IS NULL AND start_deadline IS NOT NULL",
    "CREATE INDEX jobs_acquired ON jobs (acquired_by) WHERE acquired_by IS NOT NULL",
    "CREATE INDEX jobs_schedule ON jobs (schedule_id) WHERE schedule_id IS NOT NULL",
    """CREATE TABLE executions (
        job_id TEXT PRIMARY KEY, schedule_id TEXT, handler_id TEXT NOT NULL, method TEXT NOT NULL,
        scheduled_for INTEGER, accepted_at INTEGER, started_at INTEGER, ended_at INTEGER,
        attempts TEXT NOT NULL, outcome TEXT, error TEXT, result TEXT) WITHOUT ROWID""",
    "CREATE INDEX executions_ended ON executions (ended_at, job_id) WHERE outcome IS NOT NULL",
    """CREATE TABLE idempotency (
        key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, target TEXT NOT NULL, created_at INTEGER NOT NULL)""",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
    "INSERT INTO idempotency VALUES ('kept', 'f', 't', 1)",
    "INSERT INTO executions (job_id, handler_id, method, attempts) VALUES ('kept', 'h', 'm', '[]')",
)
"""A store of version 1, as it was first published, with something in it."""
OF_POSTGRES = ("CREATE TABLE store_version (version BIGINT NOT NULL)", "INSERT INTO store_version VALUES (1)")
SCHEMA = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = '{}' ORDER BY 1, 2"
COLUMNS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '{}' ORDER BY 1, 2"
)


def first_file(path: Path) -> Path:
    """A SQLite store of version 1."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        for statement in FIRST:
            c.execute(statement)
        c.execute("PRAGMA user_version = 1")
        c.commit()
    return path


def looks(path: Path) -> tuple[Any, ...]:
    """The version, and the names, columns and indexes of a SQLite store's tables."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        tables = sorted(row[0] for row in c.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        columns = {table: c.execute(f"PRAGMA table_info({table})").fetchall() for table in tables}
        made = c.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")
        indexes = {name: text.replace("IF NOT EXISTS ", "") for name, text in made}
        return c.execute("PRAGMA user_version").fetchone()[0], columns, indexes


async def open_and_close(database: Any) -> None:
    """Start, look whether something is kept in it, close."""
    await database.start()
    try:
        for query in ("SELECT key FROM idempotency", "SELECT job_id FROM executions WHERE handler_id = 'h'"):
            kept = await database.read(lambda c, query=query: c.execute(query).fetchall())
            assert [tuple(row) for row in kept] == [("kept",)]
    finally:
        await database.close()


async def open_new(path: Path) -> None:
    """Make a store of this version."""
    database = Database(path)
    await database.start()
    await database.close()


def test_there_is_a_step_to_each_version() -> None:
    """From 1 to the version of this package, without a gap."""
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))


def test_a_file_of_version_1_becomes_what_a_new_one_is(tmp_path: Path, within: Within) -> None:
    """The same columns and indexes as in a new file, the version is told, and what was in it is still there."""

    async def scene() -> None:
        await open_and_close(Database(first_file(tmp_path / "old.db")))
        await open_new(tmp_path / "new.db")
        assert looks(tmp_path / "old.db") == looks(tmp_path / "new.db")
        assert looks(tmp_path / "old.db")[0] == SCHEMA_VERSION

    within(scene)


def test_a_step_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed or failing in its midst: the old version, whole; the next start does it all."""
    before = looks(first_file(tmp_path / "old.db"))

    async def scene() -> None:
        with monkeypatch.context() as patch:
            patch.setitem(STEPS, 1, (*STEPS[1], "ALTER TABLE nobody ADD COLUMN x TEXT"))
            with pytest.raises(StoreUnusable, match="no such table: nobody"):
                await Database(tmp_path / "old.db").start()
        assert looks(tmp_path / "old.db") == before
        await open_and_close(Database(tmp_path / "old.db"))
        assert looks(tmp_path / "old.db")[0] == SCHEMA_VERSION

    within(scene)


def test_two_that_open_a_file_at_once_bring_it_up_to_date_once(tmp_path: Path, within: Within) -> None:
    """Both get a store of this version: who comes second looks again before he does anything."""
    path = first_file(tmp_path / "old.db")

    async def scene() -> None:
        await asyncio.gather(*(open_and_close(Database(path, retry_cap=0.02)) for _ in range(4)))
        assert looks(path)[0] == SCHEMA_VERSION

    within(scene)


def test_a_file_that_became_newer_while_its_lock_was_waited_for_is_refused(tmp_path: Path, within: Within) -> None:
    """The version counts that it has when this one's turn comes."""
    path = first_file(tmp_path / "old.db")

    async def scene() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as newer:
            newer.execute("PRAGMA journal_mode = WAL")
            newer.execute("BEGIN IMMEDIATE")
            newer.execute("PRAGMA user_version = 99")
            starting = asyncio.create_task(Database(path, retry_cap=0.02).start())
            await asyncio.wait({starting}, timeout=0.2)
            assert not starting.done()
            newer.execute("COMMIT")
            with pytest.raises(StoreTooNew, match="schema version 99"):
                await starting

    within(scene)


@pytest.fixture
def url(postgres_server: Any, database: str) -> str:
    """The URL of a PostgreSQL store of version 1."""
    with psycopg.connect(postgres_server.url(database), autocommit=True) as c:
        c.execute("CREATE SCHEMA schedule_zero")
        c.execute("SET search_path TO schedule_zero")
        for statement in (*FIRST, *OF_POSTGRES):
            c.execute(to_postgres(statement).encode())
    return str(postgres_server.url(database))


def test_a_schema_of_version_1_becomes_what_a_new_one_is(
    url: str, postgres_server: Any, database: str, within: Within
) -> None:
    """The same columns and indexes as in a new schema; servers that start at once do it once, and all come up."""

    async def scene() -> None:
        old = [PostgresDatabase(parse(url), identity=f"s{n}", retry_cap=0.05) for n in range(4)]
        await asyncio.gather(*map(open_and_close, old))
        new = PostgresDatabase(parse(f"{url}&schema=fresh"), identity="me")
        await new.start()
        await new.close()

    within(scene)
    told = postgres_server.execute("SELECT version FROM schedule_zero.store_version", database)
    assert told == [(SCHEMA_VERSION,)]
    for query in (SCHEMA, COLUMNS):
        ours = postgres_server.execute(query.format("schedule_zero"), database)
        fresh = postgres_server.execute(query.format("fresh"), database)
        assert [str(row).replace("schedule_zero.", "fresh.") for row in ours] == [str(row) for row in fresh]


def test_a_step_that_fails_leaves_the_schema_as_it_was(
    url: str, postgres_server: Any, database: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it in one transaction: the version stays, and so do the indexes."""
    query = SCHEMA.format("schedule_zero")
    before = postgres_server.execute(query, database)

    async def scene() -> None:
        with monkeypatch.context() as patch:
            patch.setitem(STEPS, 1, (*STEPS[1], "ALTER TABLE nobody ADD COLUMN x TEXT"))
            with pytest.raises(StoreUnusable, match="nobody"):
                await PostgresDatabase(parse(url), identity="me", retry_cap=0.05).start(timeout=0.1)
        assert postgres_server.execute(query, database) == before
        assert postgres_server.execute("SELECT version FROM schedule_zero.store_version", database) == [(1,)]
        await open_and_close(PostgresDatabase(parse(url), identity="me"))

    within(scene)


def test_a_long_step_is_not_cut_off(
    url: str, postgres_server: Any, database: str, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longer than a transaction may take, and than a statement, goes on to its end."""
    monkeypatch.setattr("schedule_zero.postgres.PATIENCE", 0.3)
    monkeypatch.setitem(STEPS, 1, ("SELECT pg_sleep(1.5)", *STEPS[1]))
    monkeypatch.setitem(LIMITS, "statement_timeout", "1s")

    async def scene() -> None:
        await open_and_close(PostgresDatabase(parse(url), identity="me", retry_cap=0.05))

    within(scene)
    version = postgres_server.execute("SELECT version FROM schedule_zero.store_version", database)
    assert version == [(SCHEMA_VERSION,)]


def test_a_new_column_is_of_the_type_that_a_new_table_gives_it() -> None:
    """The words of a step are translated as those of a table are."""
    added = to_postgres("ALTER TABLE jobs ADD COLUMN note TEXT")
    assert added == 'ALTER TABLE jobs ADD COLUMN note TEXT COLLATE "C"'
    assert to_postgres("ALTER TABLE jobs ADD COLUMN n INTEGER") == "ALTER TABLE jobs ADD COLUMN n BIGINT"
