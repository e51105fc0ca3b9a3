"""`Database`: files that cannot be used are refused by an error of their own, as they are."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import Database
from schedule_zero.errors import StoreUnusable
from schedule_zero.schema import APPLICATION_ID
from schedule_zero.sqlite_backup import restore_backup
from schedule_zero.store_errors import StoreAway, StoreCorrupt, StoreForeign

pytestmark = pytest.mark.unit


def put(key: str) -> Any:
    """Work that stores one key."""
    return lambda c: c.execute("INSERT INTO idempotency VALUES (?, '', '', 0)", (key,)).rowcount


def keys(c: sqlite3.Connection) -> list[str]:
    """All stored keys."""
    return [row[0] for row in c.execute("SELECT key FROM idempotency ORDER BY key")]


def lock(path: Path) -> sqlite3.Connection:
    """Another program's connection that holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def run(scene: Coroutine[Any, Any, None]) -> None:
    """Run a scene in a loop of its own, with a deadline."""
    asyncio.run(asyncio.wait_for(scene, 20.0))


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    """Opening a file of something else raises StoreUnusable naming it, and leaves it as it was."""

    async def scene() -> None:
        (tmp_path / "notes.txt").write_text("dear diary " * 100)
        db = Database(tmp_path / "notes.txt")
        with pytest.raises(StoreUnusable, match=r"notes\.txt: file is not a database"):
            await db.start()
        assert (tmp_path / "notes.txt").read_text() == "dear diary " * 100

    run(scene())


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A schema version from the future is not written to."""

    async def scene() -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as c:
            c.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreUnusable, match="schema version 99"):
            await Database(tmp_path / "a.db").start()

    run(scene())


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    """A folder that cannot be made is a StoreUnusable, not an OSError."""

    async def scene() -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreUnusable, match="cannot use the database"):
            await Database(tmp_path / "file" / "a.db").start()

    run(scene())


def other_database(path: Path, *statements: str) -> bytes:
    """A database of somebody else, as it is on the disk."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        for statement in statements:
            c.execute(statement)
        c.commit()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["CREATE TABLE customers (name)"], "customers"),
        (
            ["CREATE TABLE schedules (id)", "CREATE TABLE jobs (id)", "CREATE TABLE tasks (id)"],
            "jobs, schedules, tasks",
        ),
        (["PRAGMA application_id = 17"], "application_id is 0x11"),
        (["PRAGMA user_version = 1", "CREATE TABLE t (x)"], "tables t"),
    ],
)
def test_a_database_of_another_application_is_left_as_it_is(tmp_path: Path, statements: list[str], why: str) -> None:
    """Its tables or its mark give it away: StoreForeign says how, and not a byte of it is changed."""
    before = other_database(tmp_path / "a.db", *statements)

    async def scene() -> None:
        with pytest.raises(StoreForeign, match=why):
            await Database(tmp_path / "a.db").start()

    run(scene())
    assert (tmp_path / "a.db").read_bytes() == before


def test_a_file_of_the_first_version_without_a_mark_is_ours(tmp_path: Path) -> None:
    """Stores made before files carried an application_id are opened, and carry one from then on."""

    async def scene() -> None:
        first = Database(tmp_path / "a.db")
        await first.start()
        await first.write(put("kept"))
        await first.close()
        other_database(tmp_path / "a.db", "PRAGMA application_id = 0")
        again = Database(tmp_path / "a.db")
        await again.start()
        assert await again.read(keys) == ["kept"]
        assert await again.read(lambda c: c.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION_ID
        await again.close()

    run(scene())


def test_a_damaged_file_is_refused_at_the_start(tmp_path: Path) -> None:
    """Noise in the midst of the file: StoreCorrupt tells to restore a backup, before any work is taken."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        await db.write(lambda c: [put(f"key {n:04}" + "x" * 100)(c) for n in range(500)])
        await db.close()
        scribble(tmp_path / "a.db")
        with pytest.raises(StoreCorrupt, match="restore the latest backup"):
            await Database(tmp_path / "a.db").start()

    run(scene())


def scribble(path: Path) -> None:
    """Noise over all pages but the first."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (size - 4096))


def test_damage_while_it_runs_is_typed_and_told_by_health(tmp_path: Path) -> None:
    """Reads and writes that meet the damage raise StoreCorrupt, and the probe says so from then on."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        await db.write(lambda c: [put(f"key {n:04}" + "x" * 100)(c) for n in range(500)])
        await db.write(lambda c: c.execute("PRAGMA cache_size = 1").fetchall())
        assert await db.probe() is None

        def damaged(c: sqlite3.Connection) -> None:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

        with pytest.raises(StoreCorrupt, match=r"a\.db: database disk image is malformed"):
            await db.write(damaged)
        with pytest.raises(StoreCorrupt, match="malformed"):
            await db.read(damaged)
        assert "malformed" in (await db.probe() or "")
        await db.write(put("others go on"))
        await db.close()

    run(scene())


def test_a_file_that_may_not_be_written_is_refused_with_advice(tmp_path: Path) -> None:
    """A read-only store cannot keep promises: the message says what to make writable."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        await db.close()
        made = sqlite3.connect

        def read_only(path: str, **options: object) -> sqlite3.Connection:
            return made(f"file:{path}?mode=ro", uri=True, **options)  # type: ignore[call-overload,no-any-return]

        with pytest.MonkeyPatch.context() as patch:
            # Root may write any file, so the connection itself is made read-only.
            patch.setattr(sqlite3, "connect", read_only)
            with pytest.raises(StoreUnusable, match="make the file and its folder writable"):
                await Database(tmp_path / "a.db").start()

    run(scene())


def test_a_store_locked_for_long_is_refused_at_the_start_and_can_be_opened_later(tmp_path: Path) -> None:
    """Starting waits as long as it may, then says who is in the way; afterwards nothing is left behind."""

    async def scene() -> None:
        first = Database(tmp_path / "a.db")
        await first.start()
        await first.close()
        other = lock(tmp_path / "a.db")
        with pytest.raises(StoreAway, match="another program holds its lock"):
            await Database(tmp_path / "a.db", retry_cap=0.02).start(timeout=0.1)
        other.execute("COMMIT")
        other.close()
        again = Database(tmp_path / "a.db")
        await again.start()
        await again.close()

    run(scene())


def test_the_store_and_its_copies_are_their_owners_alone(tmp_path: Path) -> None:
    """Database, write-ahead log, index, backup and a restored store hold parameters and results: mode 0600."""

    async def scene() -> None:
        db = Database(tmp_path / "shop" / "a.db")
        await db.start()
        await db.backup(tmp_path / "shop" / "copy.db")
        found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "shop").iterdir()}
        await db.close()
        assert found == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600, "copy.db": 0o600}
        assert (tmp_path / "shop").stat().st_mode & 0o777 == 0o700

    run(scene())
    (tmp_path / "shop" / "copy.db").chmod(0o644)
    restore_backup(tmp_path / "shop" / "copy.db", tmp_path / "shop" / "new.db")
    assert (tmp_path / "shop" / "new.db").stat().st_mode & 0o777 == 0o600
