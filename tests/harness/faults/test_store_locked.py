"""``store.locked`` keeps others out of an SQLite file for as long as it is on."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FaultError
from harness.faults.base import NoArgs
from harness.faults.store_locked import StoreLocked
from harness.targets.base import Place, PlaceKind


@pytest.fixture(params=["delete", "wal"])
def store(request: Any, tmp_path: Path) -> Any:
    """A store with one table, in each of the two journal modes, and the mode."""
    path = tmp_path / "jobs.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={request.param}")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    return Place(PlaceKind.STORE, "store", path=path), request.param


def write(path: Any, value: Any = 1) -> None:
    """Write without patience."""
    connection = sqlite3.connect(path, timeout=0)
    try:
        with connection:
            connection.execute("INSERT INTO t VALUES (?)", (value,))
    finally:
        connection.close()


def test_writers_are_refused_until_it_heals(store: Any) -> None:
    """SQLITE_BUSY while it is on, success directly afterwards, in both journal modes."""
    place, _ = store
    with StoreLocked(place, NoArgs()), pytest.raises(sqlite3.OperationalError, match="database is locked"):
        write(place.path)
    write(place.path)


def test_it_tells_who_is_kept_out(store: Any) -> None:
    """In WAL mode readers go on; the record does not claim more than is true."""
    place, mode = store
    fault = StoreLocked(place, NoArgs())
    detail = fault.inject()
    reader = sqlite3.connect(place.path, timeout=0)
    if mode == "wal":
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    else:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            reader.execute("SELECT count(*) FROM t")
    reader.close()
    fault.heal()
    expected = {"wal": "writers", "delete": "readers and writers"}[mode]
    assert (detail["keeps_out"], detail["journal_mode"]) == (expected, mode)


def test_it_tries_until_a_writer_lets_go(store: Any) -> None:
    """A transaction that is open when the fault comes delays it and does not defeat it."""
    place, _ = store
    busy = sqlite3.connect(place.path, isolation_level=None, check_same_thread=False)
    busy.execute("BEGIN IMMEDIATE")
    later = threading.Timer(0.1, lambda: busy.execute("COMMIT"))
    later.start()
    fault = StoreLocked(place, NoArgs())
    detail = fault.inject()
    later.join()
    fault.heal()
    busy.close()
    assert detail["tries"] > 1


def test_it_gives_up_at_its_deadline_and_holds_nothing(store: Any) -> None:
    """When others never let go it fails, says how often it tried, and leaves the store free."""
    place, _ = store
    busy = sqlite3.connect(place.path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    fault = StoreLocked(place, NoArgs())
    fault.deadline = 0.1
    with pytest.raises(FaultError, match=r"was locked by others at each of \d+ tries"):
        fault.inject()
    busy.execute("COMMIT")
    busy.close()
    write(place.path)


def test_nothing_is_left_in_the_store(store: Any) -> None:
    """The lock is rolled back: the content is what it was, and a second heal does nothing."""
    place, _ = store
    fault = StoreLocked(place, NoArgs())
    fault.inject()
    assert (fault.heal(), fault.heal()) == ({}, {})
    connection = sqlite3.connect(place.path)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("name", ["absent.db", None])
def test_a_store_without_a_file_is_refused(tmp_path: Path, name: Any) -> None:
    """No empty database comes into being where none was."""
    path = tmp_path / name if name else None
    with pytest.raises(FaultError, match="no file"):
        StoreLocked(Place(PlaceKind.STORE, "store", path=path), NoArgs()).inject()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """What is not SQLite is an error that names the file."""
    path = tmp_path / "notes.txt"
    path.write_text("x" * 2000)
    with pytest.raises(FaultError, match=r"cannot lock .*notes\.txt: file is not a database"):
        StoreLocked(Place(PlaceKind.STORE, "store", path=path), NoArgs()).inject()
