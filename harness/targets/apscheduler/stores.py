"""The data stores that a scenario can name."""

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
