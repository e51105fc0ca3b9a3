"""``store.full`` and ``store.failing`` strike the store of a simulated world, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FaultError
from harness.faults.base import NoArgs
from harness.faults.store_disk import StoreFailing, StoreFull
from harness.scenario.model import World
from harness.sim.errors import SimError
from harness.targets.base import Place, PlaceKind

pytestmark = [pytest.mark.unit, pytest.mark.sim]


@pytest.fixture
def store(sim_world: Any, tmp_path: Path) -> Place:
    """A store with one table."""
    path = tmp_path / "jobs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    return Place(PlaceKind.STORE, "store", path=path)


def test_a_full_disk_takes_nothing_and_tells_everything(store: Place) -> None:
    """Writes fail with SQLITE_FULL, reads do not; when it is healed both work."""
    connection = sqlite3.connect(str(store.path), isolation_level=None)
    with StoreFull(store, NoArgs()):
        with pytest.raises(sqlite3.OperationalError, match="full") as caught:
            connection.execute("INSERT INTO t VALUES (1)")
        assert caught.value.sqlite_errorcode == sqlite3.SQLITE_FULL
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.execute("INSERT INTO t VALUES (1)")

    assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    connection.close()


def test_a_failing_disk_cannot_be_read_either(store: Place) -> None:
    """SQLITE_IOERR."""
    connection = sqlite3.connect(str(store.path), isolation_level=None)
    with StoreFailing(store, NoArgs()), pytest.raises(sqlite3.OperationalError, match="I/O error"):
        connection.execute("SELECT count(*) FROM t")
    connection.close()


def test_a_store_without_a_file_has_no_disk(sim_world: Any) -> None:
    """It is said which place it was."""
    with pytest.raises(FaultError, match="store has no file"):
        StoreFull(Place(PlaceKind.STORE, "store"), NoArgs()).inject()


def test_the_disk_of_this_machine_is_left_alone(tmp_path: Path) -> None:
    """In the real world the kinds do not exist, and cannot be forced to."""
    assert StoreFull.worlds == StoreFailing.worlds == (World.SIM,)
    with pytest.raises(SimError, match="there is none"):
        StoreFull(Place(PlaceKind.STORE, "store", path=tmp_path / "x.db"), NoArgs()).inject()
