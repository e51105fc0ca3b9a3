"""The simulated disk: which troubles it takes, and what it calls part of a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from harness.sim.errors import BadFault
from harness.sim.machine.disk import DiskFault
from harness.sim.world import World

pytestmark = [pytest.mark.sim, pytest.mark.unit]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("full", "."), {}, r"given 'full': expected one of DiskFault\.FULL, DiskFault\.READ_ONLY, "),
        ((DiskFault.SLOW, "."), {}, r"DiskFault\.SLOW with seconds=0\.0: expected seconds above 0, how slow it is"),
        ((DiskFault.FULL, "."), {"seconds": 1}, r"DiskFault\.FULL with seconds=1: expected no seconds: only SLOW"),
        ((DiskFault.SLOW, "."), {"seconds": -1}, r"disk\.trouble\(seconds=\.\.\.\) was given -1: expected seconds"),
        ((DiskFault.FULL, "no/such/folder"), {}, r"given 'no/such/folder': expected a file or folder that is there"),
    ],
)  # fmt: skip
def test_a_trouble_that_would_do_nothing_is_refused(
    sim: World, arguments: tuple[Any, ...], options: dict[str, Any], words: str
) -> None:
    """A word that is no fault, a slow disk that is not slow, seconds that nobody heeds, a place that is not there."""
    with pytest.raises(BadFault, match=words):
        sim.machine.disk.begin(*arguments, **options)


def test_a_file_that_is_still_to_be_made_can_be_in_trouble(sim: World, tmp_path: Path) -> None:
    """What a program will make in a folder that is there may be named before."""
    with sim.machine.disk.trouble(DiskFault.FULL, tmp_path / "later"), pytest.raises(OSError, match="No space"):
        (tmp_path / "later").write_text("x")
    (tmp_path / "later").write_text("y")


def test_a_loss_of_power_needs_a_tracked_folder(sim: World, tmp_path: Path) -> None:
    """Of a folder that nobody tracks nothing is known to be durable: it is refused, and its files stay."""
    (tmp_path / "mine").write_text("text")
    with pytest.raises(BadFault, match=r"expected a folder given to disk\.track before"):
        sim.machine.disk.power_cut(tmp_path)
    assert (tmp_path / "mine").read_text() == "text"
    with pytest.raises(BadFault, match=r"disk\.track was given"):
        sim.machine.disk.track(tmp_path / "no" / "such")


def test_nothing_to_corrupt_is_refused(sim: World, tmp_path: Path) -> None:
    """No flip, or no byte to flip, is no corruption."""
    (tmp_path / "empty").touch()
    with pytest.raises(BadFault, match=r"which is empty"):
        sim.machine.disk.corrupt(tmp_path / "empty")
    with pytest.raises(BadFault, match=r"flips=\.\.\.\) was given 0"):
        sim.machine.disk.corrupt(tmp_path / "empty", flips=0)


@pytest.mark.parametrize("mode", ["PERSIST", "DELETE"])
def test_the_journal_of_a_database_is_durable_with_it(sim: World, tmp_path: Path, mode: str) -> None:
    """After a commit the file of the rollback journal is as the commit left it: there, with its bytes, or gone."""
    path = tmp_path / "db"
    sim.machine.disk.track(tmp_path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (1)")
    journal = tmp_path / "db-journal"
    before = journal.read_bytes() if journal.exists() else None
    assert (before is None) is (mode == "DELETE")
    assert sim.machine.disk.power_cut(tmp_path) == []
    assert (journal.read_bytes() if journal.exists() else None) == before
    connection.close()
