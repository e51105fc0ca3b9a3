"""What a data store tells of itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apscheduler.abc import DataStore
from apscheduler.datastores.memory import MemoryDataStore
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from harness.targets.apscheduler import stores

pytestmark = pytest.mark.unit


@pytest.mark.filterwarnings("ignore:Selection of the StaticPool pool class")
@pytest.mark.parametrize(
    ("url", "durable"),
    [
        ("sqlite+aiosqlite:////tmp/nowhere/a.db", True),
        ("sqlite+aiosqlite:///a.db", True),
        ("sqlite+aiosqlite:///file:a.db?uri=true", True),
        ("sqlite+aiosqlite:///file:a.db?mode=rwc&uri=true", True),
        ("sqlite+aiosqlite://", False),
        ("sqlite+aiosqlite:///:memory:", False),
        ("sqlite+aiosqlite:///file::memory:?cache=shared&uri=true", False),
        ("sqlite+aiosqlite:///file:a?mode=memory&cache=shared&uri=true", False),
    ],
)
def test_sqlite_is_durable_where_it_has_a_file(url: str, durable: bool) -> None:
    """By whichever of its names SQLite is told to stay in memory; nothing is opened."""
    assert stores.durable(SQLAlchemyDataStore(create_async_engine(url))) is durable
    assert stores.durable(SQLAlchemyDataStore(url)) is durable


def test_an_engine_that_is_not_asynchronous_tells_as_much() -> None:
    """APScheduler takes either."""
    assert stores.durable(SQLAlchemyDataStore(create_engine("sqlite:///a.db"))) is True
    assert stores.durable(SQLAlchemyDataStore(create_engine("sqlite://"))) is False


class OwnStore(MemoryDataStore):
    """A user's."""


def of_postgres() -> SQLAlchemyDataStore:
    """A store whose engine says that it is for PostgreSQL, the driver of which need not be installed."""
    store = SQLAlchemyDataStore("sqlite+aiosqlite://")
    store._engine = SimpleNamespace(url=make_url("postgresql+asyncpg://somewhere/jobs"))  # type: ignore[assignment]
    return store


@pytest.mark.parametrize(
    ("store", "durable"), [(MemoryDataStore(), False), (OwnStore(), False), (of_postgres(), True), (object(), True)]
)
def test_other_stores_are_durable_unless_they_are_of_memory(store: Any, durable: bool) -> None:
    """A store of another kind, of which nothing is known, too."""
    assert stores.durable(store) is durable


def test_the_stores_that_a_scenario_can_name(tmp_path: Path) -> None:
    """`sqlite` is durable, `memory` is not."""
    made: dict[str, DataStore] = {name: stores.make(name, tmp_path, 1) for name in ("memory", "sqlite")}

    assert {name: stores.durable(store) for name, store in made.items()} == {"memory": False, "sqlite": True}
