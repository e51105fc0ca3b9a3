"""A database file that is removed or replaced under a running store takes no more writes, and tells so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import Database
from schedule_zero.file_identity import OpenFiles
from schedule_zero.store_errors import StoreReplaced

pytestmark = pytest.mark.unit

SAID = "was removed or replaced under the running server, which writes nothing more"


def put(key: str) -> Any:
    """Work that stores one key."""
    return lambda c: c.execute("INSERT INTO idempotency VALUES (?, '', '', 0)", (key,)).rowcount


def keys(c: sqlite3.Connection) -> list[str]:
    """All stored keys."""
    return [row[0] for row in c.execute("SELECT key FROM idempotency ORDER BY key")]


def keys_in(path: Path) -> list[str]:
    """What the file has, for whoever opens it now."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        return keys(c)


def run(scene: Coroutine[Any, Any, None]) -> None:
    """Run a scene in a loop of its own, with a deadline."""
    asyncio.run(asyncio.wait_for(scene, 20.0))


def remove(path: Path) -> None:
    """All three files, as ``rm jobs.db*`` does."""
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def replace(path: Path) -> None:
    """A copy of itself takes its place."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def remove_log(path: Path) -> None:
    """The write-ahead log alone: what is in it would be lost by a kill."""
    Path(f"{path}-wal").unlink()


@pytest.mark.parametrize("harm", [remove, replace, remove_log])
def test_nothing_is_written_into_a_file_that_is_gone(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Writes are refused by StoreReplaced at once, the probe says why, and reads go on."""

    async def scene() -> None:
        path = tmp_path / "jobs.db"
        db = Database(path)
        await db.start()
        await db.write(put("before"))
        harm(path)
        commits = db.commits
        with pytest.raises(StoreReplaced, match=SAID):
            await db.write(put("after"))
        said = await db.probe()
        assert said is not None
        assert SAID in said
        assert db.commits == commits
        assert await db.read(keys) == ["before"]
        with pytest.raises(StoreReplaced, match=SAID):
            await db.backup(tmp_path / "backup.db")
        await db.close()

    run(scene())


def test_the_same_file_that_comes_back_is_written_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Moved away and back it is the same file: the loss is told of once, and its end."""
    caplog.set_level(logging.WARNING)

    async def scene() -> None:
        path = tmp_path / "jobs.db"
        db = Database(path)
        await db.start()
        path.rename(tmp_path / "elsewhere")
        for key in ("a", "b"):
            with pytest.raises(StoreReplaced):
                await db.write(put(key))
        (tmp_path / "elsewhere").rename(path)
        await db.write(put("c"))
        assert await db.probe() is None
        await db.close()
        assert keys_in(path) == ["c"]

    run(scene())
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_connection_that_is_opened_anew_makes_no_new_file(tmp_path: Path) -> None:
    """After an I/O error the store opens its file again: one that was removed meanwhile is not made anew and empty."""

    async def scene() -> None:
        path = tmp_path / "jobs.db"
        db = Database(path)
        await db.start()
        remove(path)
        db._close_writer()
        with pytest.raises(StoreReplaced):
            await db.write(put("after"))
        assert not path.exists()
        await db.close()

    run(scene())


def test_a_log_of_a_connection_that_was_opened_anew_is_another_one(tmp_path: Path) -> None:
    """SQLite itself removes the log when its last connection closes: that is nobody's doing, and writes go on."""

    async def scene() -> None:
        db = Database(tmp_path / "jobs.db")
        await db.start()
        db._close_reader()
        db._close_writer()
        assert not (tmp_path / "jobs.db-wal").exists()
        await db.write(put("after"))
        assert await db.read(keys) == ["after"]
        await db.close()

    run(scene())


def test_a_folder_that_cannot_be_looked_into_is_no_evidence(tmp_path: Path) -> None:
    """A path that is too long to be looked up after all raises OSError, and is not told as a file that was removed."""
    (tmp_path / "jobs.db").touch()
    files = OpenFiles(tmp_path / "jobs.db")
    files.opened()
    files._path = tmp_path / ("x" * 300)
    assert files.replaced() is None
