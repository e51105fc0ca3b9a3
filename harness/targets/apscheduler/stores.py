"""The data stores that a scenario can name, and what any data store tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apscheduler.abc import DataStore
from apscheduler.datastores.memory import MemoryDataStore

from harness.errors import TargetError

FILE = "apscheduler.db"


def make(store: str, folder: Path, connections: int) -> DataStore:
    """The store called `store`; a durable one keeps its file in `folder`. Raises `TargetError` when a package for it is
    missing.
    """
    if store == "memory":
        return MemoryDataStore()
    try:
        from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
        from sqlalchemy.ext.asyncio import create_async_engine
    except ImportError as error:
        raise TargetError(
            f"the store sqlite needs more packages ({error}): pip install 'sqlalchemy[asyncio]' aiosqlite sniffio"
        ) from error
    pool: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
    return SQLAlchemyDataStore(create_async_engine(f"sqlite+aiosqlite:///{folder / FILE}", **pool))


def durable(store: DataStore) -> bool:
    """Whether what lies in `store` survives the end of its process, as far as it can be told from outside.

    In memory it does not, be it APScheduler's or SQLite's own. Another kind of store, of which nothing is known here,
    is taken to be durable.
    """
    if isinstance(store, MemoryDataStore):
        return False
    url = getattr(getattr(store, "_engine", None), "url", None)  # of a SQLAlchemyDataStore, whatever it was made from
    if url is None or url.get_backend_name() != "sqlite":
        return True
    return not _in_memory(str(url.database or ""), str(url.query.get("mode", "")))


def _in_memory(database: str, mode: str) -> bool:
    """Whether a database of SQLite has no file that stays: https://www.sqlite.org/inmemorydb.html."""
    name, _, query = database.removeprefix("file:").partition("?")
    return name in ("", ":memory:") or mode == "memory" or "mode=memory" in query.split("&")
