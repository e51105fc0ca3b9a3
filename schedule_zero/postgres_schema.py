"""The tables of the store in a schema of PostgreSQL."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from schedule_zero.dialect import select
from schedule_zero.errors import StoreUnusable
from schedule_zero.migrations import bring_up_to_date
from schedule_zero.postgres_session import PostgresSession
from schedule_zero.schema import SCHEMA_VERSION, foreign, too_new

__all__ = ["is_ready", "prepare"]

#: What became of a transaction can be asked for by its 64-bit number since PostgreSQL 13.
OLDEST: Final = 130_000
_VERSION: Final = "CREATE TABLE IF NOT EXISTS store_version (version INTEGER NOT NULL)"
#: Which handlers are connected to which server: their jobs are left to these servers.
_PRESENCE: Final = """CREATE TABLE IF NOT EXISTS presence (
    server TEXT NOT NULL, handler_id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (server, handler_id))"""
#: An index over millions of rows takes its time, and those who start meanwhile wait for it.
_PATIENT: Final = ("SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = '60s'")
#: A lock for the time of making the tables, so that servers which start together do not fall over each other.
_MAKING: Final = 0x535A6A62


def is_ready(session: PostgresSession, schema: str, name: str) -> bool:
    """Whether the tables are there, in the version of this package.

    Raises `StoreForeign`, `StoreTooNew`, `StoreUnusable` for a PostgreSQL that is too old, and psycopg's errors.
    """
    if session.version < OLDEST:
        found, wanted = session.version // 10_000, OLDEST // 10_000
        raise StoreUnusable(f"cannot use the database {name}: PostgreSQL {found}, but {wanted} or newer is needed")
    return _version(session, schema, name) == SCHEMA_VERSION


def prepare(session: PostgresSession, schema: str, name: str) -> None:
    """Make the schema and its tables, or bring them up to date, once for all servers; raises as `is_ready`."""
    session.begin()
    try:
        for setting in _PATIENT:
            session.execute(setting)
        select(session, "SELECT pg_advisory_xact_lock(?)", _MAKING)
        if not select(session, "SELECT 1 FROM pg_namespace WHERE nspname = ?", schema):
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)).as_string())
        # Looked at again: another server may have done it while this one waited for the lock.
        version = _version(session, schema, name)
        if version != SCHEMA_VERSION:
            _bring_up_to_date(session, version, name)
    except BaseException:
        session.rollback()
        raise
    session.commit()


def _version(session: PostgresSession, schema: str, name: str) -> int:
    """The version of the tables, 0 where there are none."""
    known = _tables(session, schema)
    if not known:
        return 0
    if "store_version" not in known:
        raise foreign(name, f"it has the tables {', '.join(known[:5])}")
    version = max((int(row[0]) for row in select(session, "SELECT version FROM store_version")), default=1)
    if version > SCHEMA_VERSION:
        raise too_new(name, version)
    return version


def _bring_up_to_date(session: PostgresSession, version: int, name: str) -> None:
    for statement in (_VERSION, _PRESENCE):
        session.execute(statement)
    bring_up_to_date(session, version, name)
    session.execute("DELETE FROM store_version")
    session.execute("INSERT INTO store_version VALUES (?)", (SCHEMA_VERSION,))


def _tables(session: PostgresSession, schema: str) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY tablename"
    return [row[0] for row in select(session, query, schema)]
