"""Backups of a SQLite store: whole, from one moment, checked, and put back only where nobody works."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import Database
from schedule_zero.errors import StoreUnusable
from schedule_zero.sqlite_backup import inspect_store, restore_backup, write_backup
from schedule_zero.store_errors import StoreBusy, StoreCorrupt, StoreForeign

pytestmark = pytest.mark.unit

_PAIR = "INSERT INTO idempotency VALUES (?, 'f', 't', 0)"


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own, with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(20.0):
            await scene()

    asyncio.run(bounded())


def add_pair(number: int) -> Callable[[Any], None]:
    """Two rows in one transaction."""

    def work(c: Any) -> None:
        c.execute(_PAIR, (f"{number}a",))
        c.execute(_PAIR, (f"{number}b",))

    return work


def keys(path: Path) -> list[str]:
    """The idempotency keys of a store's file."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT key FROM idempotency ORDER BY key")]
    finally:
        connection.close()


def test_a_backup_made_while_writes_go_on_is_one_moment(tmp_path: Path) -> None:
    """Of each pair of rows that was written in one transaction the copy has both or none."""

    async def scene() -> None:
        database = Database(tmp_path / "a.db")
        await database.start()
        await database.write(add_pair(0))
        writing = asyncio.gather(*(database.write(add_pair(n)) for n in range(1, 200)))
        contents = await database.backup(tmp_path / "copy.db")
        await writing
        await database.close()
        found = keys(tmp_path / "copy.db")
        assert "0a" in found
        assert {key[:-1] for key in found if key.endswith("a")} == {key[:-1] for key in found if key.endswith("b")}
        assert (contents.version, contents.jobs, contents.path) == (3, 0, tmp_path / "copy.db")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "copy.db"]

    run(scene)


def test_a_store_in_memory_has_backups_too(tmp_path: Path) -> None:
    """What has no file can be copied into one."""

    async def scene() -> None:
        database = Database(None)
        await database.start()
        await database.write(add_pair(7))
        await database.backup(tmp_path / "copy.db")
        await database.close()
        assert keys(tmp_path / "copy.db") == ["7a", "7b"]

    run(scene)


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    """A file that exists is left as it is, and named."""

    async def scene() -> None:
        (tmp_path / "copy.db").write_text("precious")
        database = Database(tmp_path / "a.db")
        await database.start()
        with pytest.raises(StoreUnusable, match=r"copy\.db: it exists already"):
            await database.backup(tmp_path / "copy.db")
        await database.close()
        assert (tmp_path / "copy.db").read_text() == "precious"

    run(scene)


def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """A folder that is not there is told by the target's name."""
    source = sqlite3.connect(":memory:")
    try:
        with pytest.raises(StoreUnusable, match=r"cannot write the backup .*missing/copy\.db"):
            write_backup(source, tmp_path / "missing" / "copy.db")
    finally:
        source.close()
    assert list(tmp_path.iterdir()) == []


def made(folder: Path, name: str, key: str) -> Path:
    """A store's file with one key in it."""

    async def scene() -> None:
        database = Database(folder / name)
        await database.start()
        await database.write(lambda c: c.execute(_PAIR, (key,)).rowcount)
        await database.close()

    run(scene)
    return folder / name


def test_a_backup_is_put_back_and_the_old_store_kept(tmp_path: Path) -> None:
    """After restoring, the store has what the backup had; what was there lies beside it."""
    backup, target = made(tmp_path, "backup.db", "then"), made(tmp_path, "a.db", "now")
    contents = restore_backup(backup, target)
    assert contents.path == target
    assert keys(target) == ["then"]
    assert keys(tmp_path / "a.db.before-restore") == ["now"]
    assert keys(made(tmp_path, "a.db", "later")) == ["later", "then"]


def test_a_store_in_use_is_not_replaced(tmp_path: Path) -> None:
    """While a server has the store open, idle or not, restoring is refused and changes nothing."""
    backup = made(tmp_path, "backup.db", "then")

    async def scene() -> None:
        database = Database(tmp_path / "a.db")
        await database.start()
        with pytest.raises(StoreBusy, match="stop its server"):
            restore_backup(backup, tmp_path / "a.db")
        await database.write(lambda c: c.execute(_PAIR, ("now",)).rowcount)
        await database.close()
        assert keys(tmp_path / "a.db") == ["now"]

    run(scene)


@pytest.mark.parametrize("damage", ["cut", "scribble", "text"])
def test_a_damaged_backup_is_not_restored(tmp_path: Path, damage: str) -> None:
    """Half of a file, pages of noise, a file of something else: StoreCorrupt, and the store stays as it was."""
    backup, target = made(tmp_path, "backup.db", "then"), made(tmp_path, "a.db", "now")
    whole = backup.read_bytes()
    spoilt = {
        "cut": whole[: len(whole) // 2],
        "scribble": whole[:4096] + os.urandom(len(whole) - 4096),
        "text": b"x" * 9000,
    }
    backup.write_bytes(spoilt[damage])
    with pytest.raises(StoreCorrupt, match=r"backup\.db"):
        restore_backup(backup, target)
    assert keys(target) == ["now"]


def test_an_index_that_lacks_a_row_is_found(tmp_path: Path) -> None:
    """Every page can be read and every row be counted; only a check from end to end sees it."""
    backup = made(tmp_path, "backup.db", "then")
    index = "FROM sqlite_master WHERE name = 'idempotency_age'"
    with contextlib.closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        kept = connection.execute(f"SELECT * {index}").fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"DELETE {index}")
    with contextlib.closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute(_PAIR, ("unindexed",))
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", kept)
    with pytest.raises(StoreCorrupt, match=r"is damaged: row 2 missing from index idempotency_age"):
        inspect_store(backup)


def test_a_damaged_store_can_be_replaced(tmp_path: Path) -> None:
    """That the store is no database any more is no reason to refuse its backup."""
    backup, target = made(tmp_path, "backup.db", "then"), tmp_path / "a.db"
    target.write_bytes(b"x" * 9000)
    restore_backup(backup, target)
    assert keys(target) == ["then"]


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    """A missing file and another application's database are told apart."""
    with pytest.raises(StoreUnusable, match="there is no store"):
        inspect_store(tmp_path / "none.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE customers (name)")
    other.close()
    with pytest.raises(StoreForeign, match="customers"):
        inspect_store(tmp_path / "other.db")
