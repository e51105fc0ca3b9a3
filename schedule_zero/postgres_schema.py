"""The tables of the store in a schema of PostgreSQL."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from schedule_zero.dialect import select
from schedule_zero.errors import StoreUnusable
from schedule_zero.postgres_session import PostgresSession
from schedule_zero.schema import SCHEMA_VERSION, TABLES, foreign, too_new

__all__ = ["prepare"]

#: What became of a transaction can be asked for by its 64-bit number since PostgreSQL 13.
OLDEST: Final = 130_000
_VERSION: Final = "CREATE TABLE IF NOT EXISTS store_version (version INTEGER NOT NULL)"
#: Which handlers are connected to which server: their jobs are left to these servers.
_PRESENCE: Final = """CREATE TABLE IF NOT EXISTS presence (
    server TEXT NOT NULL, handler_id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (server, handler_id))"""
#: A lock for the time of making the tables, so that servers which start together do not fall over each other.
_MAKING: Final = 0x535A6A62


def prepare(session: PostgresSession, schema: str, name: str) -> None:
    """Make the schema and its tables as far as they are missing.

    Raises `StoreForeign`, `StoreTooNew`, `StoreUnusable` for a PostgreSQL that is too old, and psycopg's errors.
    """
    if session.version < OLDEST:
        found, wanted = session.version // 10_000, OLDEST // 10_000
        raise StoreUnusable(f"cannot use the database {name}: PostgreSQL {found}, but {wanted} or newer is needed")
    session.begin()
    try:
        select(session, "SELECT pg_advisory_xact_lock(?)", _MAKING)
        if not select(session, "SELECT 1 FROM pg_namespace WHERE nspname = ?", schema):
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)).as_string())
        known = _tables(session, schema)
        if known and "store_version" not in known:
            raise foreign(name, f"it has the tables {', '.join(known[:5])}")
        if "store_version" in known:
            version = max((row[0] for row in select(session, "SELECT version FROM store_version")), default=0)
            if version > SCHEMA_VERSION:
                raise too_new(name, version)
        if not known:
            _create(session)
    except BaseException:
        session.rollback()
        raise
    session.commit()


def _tables(session: PostgresSession, schema: str) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY tablename"
    return [row[0] for row in select(session, query, schema)]


def _create(session: PostgresSession) -> None:
    for statement in (_VERSION, _PRESENCE, *TABLES):
        session.execute(statement)
    session.execute("INSERT INTO store_version VALUES (?)", (SCHEMA_VERSION,))
