"""`Database`: group commit, withdrawal, and patience with a store in trouble."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import Database, StoreClosed

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


def test_what_was_written_is_in_the_file_when_the_write_returns(tmp_path: Path) -> None:
    """A finished write can be seen by another connection: it has been committed."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        await db.write(put("one"))
        with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as other:
            assert keys(other) == ["one"]
        await db.close()

    run(scene())


def test_writes_that_wait_together_share_commits(tmp_path: Path) -> None:
    """A hundred writes asked for at once take far fewer than a hundred commits, and all are there."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        await asyncio.gather(*(db.write(put(f"{n:03}")) for n in range(100)))
        assert db.commits <= 3
        assert len(await db.read(keys)) == 100
        await db.close()

    run(scene())


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_failure_of_one_write_leaves_its_neighbours(tmp_path: Path, in_memory: bool) -> None:
    """Of three writes in one batch the one that fails is undone and raises; the others are kept."""

    async def scene() -> None:
        db = Database(None if in_memory else tmp_path / "a.db")
        await db.start()

        def half(c: sqlite3.Connection) -> None:
            put("half")(c)
            raise ZeroDivisionError

        outcomes = await asyncio.gather(db.write(put("a")), db.write(half), db.write(put("b")), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [int, ZeroDivisionError, int]
        assert await db.read(keys) == ["a", "b"]
        await db.close()

    run(scene())


def test_a_write_waits_for_a_locked_file_and_reads_go_on(tmp_path: Path) -> None:
    """While another program holds the write lock nothing fails, reads answer, the trouble is told; then it is
    done.
    """

    async def scene() -> None:
        db = Database(tmp_path / "a.db", retry_cap=0.02)
        await db.start()
        await db.write(put("before"))
        other = lock(tmp_path / "a.db")
        waiting = asyncio.create_task(db.write(put("after")))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        assert await db.read(keys) == ["before"]
        assert "locked" in (db.trouble or "")
        assert "locked" in (await db.probe(0.1) or "")
        other.execute("COMMIT")
        await waiting
        assert db.trouble is None
        assert await db.read(keys) == ["after", "before"]
        await db.close()

    run(scene())


def test_the_end_of_trouble_is_noticed_although_nobody_writes(tmp_path: Path) -> None:
    """When every write was withdrawn during a lock, the next question after it finds the store well."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db", retry_cap=0.02)
        await db.start()
        other = lock(tmp_path / "a.db")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await db.write(put("given up"))
        assert "locked" in (await db.probe(0.1) or "")
        other.execute("COMMIT")
        # What was withdrawn is let go at the next attempt; until then the answer may still be the last one.
        await asyncio.sleep(0.1)
        assert await db.probe(5.0) is None
        assert db.trouble is None
        await db.close()

    run(scene())


def test_a_write_given_up_during_a_lock_does_not_happen_later(tmp_path: Path) -> None:
    """A caller who stops waiting for a locked store has withdrawn his work."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db", retry_cap=0.02)
        await db.start()
        other = lock(tmp_path / "a.db")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await db.write(put("given up"))
        other.execute("COMMIT")
        await db.write(put("next"))
        assert await db.read(keys) == ["next"]
        await db.close()

    run(scene())


def test_a_write_given_up_behind_another_of_its_commit_does_not_happen(tmp_path: Path) -> None:
    """Up to the moment at which its own turn comes, a caller can withdraw his work."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        begun, go_on = threading.Event(), threading.Event()

        def hold(c: sqlite3.Connection) -> None:
            put("first")(c)
            begun.set()
            assert go_on.wait(20.0)

        first, second = asyncio.create_task(db.write(hold)), asyncio.create_task(db.write(put("given up")))
        await asyncio.to_thread(begun.wait, 20.0)
        second.cancel()
        await asyncio.wait({second})
        go_on.set()
        await first
        assert await db.read(keys) == ["first"]
        await db.close()

    run(scene())


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    """SQLITE_FULL is retried: the write that met it succeeds once there is room."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db", retry_cap=0.02)
        await db.start()
        await db.write(lambda c: c.execute("CREATE TABLE filler (x)"))
        size = await db.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        tries: list[int] = []

        def fill(c: sqlite3.Connection) -> None:
            tries.append(1)
            # The first attempts run on a file that may not grow, as on a full disk.
            c.execute(f"PRAGMA max_page_count = {size if len(tries) < 3 else 1_000_000}")
            c.execute("INSERT INTO filler VALUES (zeroblob(100000))")

        await db.write(fill)
        assert len(tries) == 3
        assert db.retries == 2
        await db.close()

    run(scene())


def test_closing_is_bounded_and_refuses_what_waits(tmp_path: Path) -> None:
    """Closing with the file locked by another returns at once; the waiting write is refused, not lost in
    silence.
    """

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        other = lock(tmp_path / "a.db")
        waiting = asyncio.create_task(db.write(put("x")))
        await asyncio.wait({waiting}, timeout=0.1)
        async with asyncio.timeout(2.0):
            await db.close()
        with pytest.raises(StoreClosed, match="before the operation was done"):
            await waiting
        with pytest.raises(StoreClosed, match="not open"):
            await db.write(put("y"))
        other.execute("COMMIT")
        assert keys(other) == []

    run(scene())


def test_synchronous_is_full_and_journal_is_wal(tmp_path: Path) -> None:
    """An accepted write survives the loss of power: WAL with synchronous=FULL (2)."""

    async def scene() -> None:
        db = Database(tmp_path / "a.db")
        await db.start()
        settings = await db.write(
            lambda c: (
                c.execute("PRAGMA synchronous").fetchone()[0],
                c.execute("PRAGMA journal_mode").fetchone()[0],
            )
        )
        assert settings == (2, "wal")
        await db.close()

    run(scene())
