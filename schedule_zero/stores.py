"""The store for a URL."""

from __future__ import annotations

from pathlib import Path

from schedule_zero.database import Database
from schedule_zero.errors import ConfigError, StoreUnusable
from schedule_zero.storage import Storage
from schedule_zero.store import JobStore, SqliteStore

__all__ = ["build_database", "build_store"]

_POSTGRES = ("postgresql", "postgres")


def build_store(url: str, *, identity: str = "schedule_zero") -> JobStore:
    """The store for a URL: ``memory://``, ``sqlite://`` (in memory), ``sqlite:///PATH`` or
    ``postgresql://USER@HOST/DATABASE``; a driver suffix is ignored.

    `identity` is the server's name among those that share a PostgreSQL store. Raises `ConfigError` for any other
    scheme, `StoreUnusable` when psycopg is wanted and absent.
    """
    if _scheme(url) in _POSTGRES:
        return _postgres(url, identity)
    return SqliteStore(_sqlite(url))


def build_database(url: str, *, identity: str = "schedule_zero") -> Storage:
    """The database for a URL, see `build_store`."""
    return build_store(url, identity=identity).database


def _postgres(url: str, identity: str) -> JobStore:
    # Only here: psycopg is an extra, and nobody without a PostgreSQL store needs it.
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise StoreUnusable(f"a PostgreSQL store needs psycopg ({error}): pip install 'psycopg[binary]'") from error
    from schedule_zero.postgres_store import build_postgres_store

    return build_postgres_store(url, identity)


def _sqlite(url: str) -> Database:
    if _scheme(url) not in ("memory", "sqlite"):
        raise ConfigError(
            f"unknown store {url!r}: expected memory://, sqlite://, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        )
    path = url.partition("://")[2].removeprefix("/")
    return Database(Path(path) if path and path != ":memory:" else None)


def _scheme(url: str) -> str:
    return url.partition("://")[0].partition("+")[0]
