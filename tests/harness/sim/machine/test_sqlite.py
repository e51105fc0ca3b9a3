"""SQLite: waits for locks, one body in both worlds; death and faults of the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import aiosqlite
import pytest

from harness.sim.machine.disk import DiskFault
from harness.sim.world import World

pytestmark = pytest.mark.sim


def database(path: Path, *, wal: bool = True) -> Path:
    """A file with a table."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    return path


def rows(path: Path) -> list[int]:
    """What is in the table."""
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT x FROM t ORDER BY x")]
    connection.close()
    return found


def in_thread(action: Callable[[], object]) -> threading.Thread:
    """Run something in a thread."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("wal", [True, False])
def test_a_writer_waits_for_a_writer(world: object, tmp_path: Path, wal: bool) -> None:
    """A statement that meets a lock waits for it within the connection's time-out."""
    path = database(tmp_path / "db", wal=wal)
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("INSERT INTO t VALUES (1)")

    def release() -> None:
        time.sleep(0.3)
        holder.execute("COMMIT")

    thread = in_thread(release)
    begin = time.monotonic()
    other = sqlite3.connect(path, timeout=10)
    other.execute("INSERT INTO t VALUES (2)")
    other.commit()
    assert 0.29 < time.monotonic() - begin < 5
    thread.join()
    holder.close()
    other.close()
    assert rows(path) == [1, 2]


def test_the_time_out_ends_the_wait(world: object, tmp_path: Path) -> None:
    """SQLITE_BUSY after the time-out, whether it was given to connect or by PRAGMA; 0 waits for nothing."""
    path = database(tmp_path / "db")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    waits = []
    for _ in range(2):
        begin = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked") as error:
            other.execute("BEGIN IMMEDIATE")
        assert error.value.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        waits.append(time.monotonic() - begin)
        assert other.execute("PRAGMA busy_timeout = 200").fetchone() == (200,)
    assert waits[0] < waits[1]
    assert 0.15 < waits[1] < 2
    assert other.execute("PRAGMA busy_timeout").fetchone() == (200,)
    holder.close()
    other.close()


def test_an_upgrade_does_not_wait(world: object, tmp_path: Path) -> None:
    """A transaction that has read and then wants to write fails at once when another has written meanwhile."""
    path = database(tmp_path / "db")
    reader = sqlite3.connect(path, timeout=5, isolation_level=None)
    writer = sqlite3.connect(path, timeout=5, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    writer.execute("INSERT INTO t VALUES (1)")
    begin = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        reader.execute("INSERT INTO t VALUES (2)")
    assert time.monotonic() - begin < 1
    reader.execute("ROLLBACK")
    reader.close()
    writer.close()


def test_a_commit_waits_for_readers(world: object, tmp_path: Path) -> None:
    """Without WAL a commit waits until readers have finished."""
    path = database(tmp_path / "db", wal=False)
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("INSERT INTO t VALUES (0)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()

    def finish() -> None:
        time.sleep(0.2)
        reader.execute("COMMIT")

    thread = in_thread(finish)
    writer = sqlite3.connect(path, timeout=10, isolation_level=None)
    writer.execute("BEGIN")
    writer.execute("INSERT INTO t VALUES (1)")
    begin = time.monotonic()
    writer.execute("COMMIT")
    assert 0.15 < time.monotonic() - begin < 5
    thread.join()
    reader.close()
    writer.close()


def test_a_connection_belongs_to_its_thread(world: object, tmp_path: Path) -> None:
    """`check_same_thread` is heeded."""
    connection = sqlite3.connect(tmp_path / "db")
    caught: list[Exception] = []

    def use() -> None:
        try:
            connection.execute("SELECT 1")
        except sqlite3.ProgrammingError as error:
            caught.append(error)

    in_thread(use).join()
    assert "same thread" in str(caught[0])
    connection.close()


def test_scripts_and_transactions(world: object, tmp_path: Path) -> None:
    """executescript, implicit transactions, the context manager and executemany do what they do."""
    connection = sqlite3.connect(tmp_path / "db")
    connection.executescript("CREATE TABLE t (x); BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (';'); COMMIT")
    assert not connection.in_transaction

    def fail() -> None:
        with connection:
            connection.execute("INSERT INTO t VALUES (2)")
            raise KeyError("undone" if connection.in_transaction else "no transaction")

    with pytest.raises(KeyError, match="undone"):
        fail()
    with connection:
        connection.executemany("INSERT INTO t VALUES (?)", ((n,) for n in (3, 4)))
    assert [row[0] for row in connection.execute("SELECT x FROM t")] == [1, ";", 3, 4]
    connection.row_factory = sqlite3.Row
    assert connection.execute("SELECT 5 AS five").fetchone()["five"] == 5
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_the_level_of_syncing_is_told_back(world: object, tmp_path: Path) -> None:
    """PRAGMA synchronous answers what was set, whatever the engine does below."""
    connection = sqlite3.connect(tmp_path / "db")
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    for level, number in (("OFF", 0), ("NORMAL", 1), ("2", 2), ("extra", 3)):
        assert connection.execute(f"PRAGMA synchronous = {level}").fetchall() == []
        assert connection.execute("PRAGMA main.synchronous;").fetchone() == (number,)
    connection.close()


def test_aiosqlite(world: object, tmp_path: Path) -> None:
    """Its thread is a simulated one; two connections wait for each other."""

    async def main() -> list[int]:
        async with aiosqlite.connect(tmp_path / "db") as one, aiosqlite.connect(tmp_path / "db") as other:
            await one.execute("CREATE TABLE t (x)")
            await one.commit()
            await one.execute("INSERT INTO t VALUES (1)")
            waiting = asyncio.ensure_future(other.execute("INSERT INTO t VALUES (2)"))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await one.commit()
            await waiting
            await other.commit()
            async with one.execute("SELECT x FROM t") as cursor:
                return [row[0] for row in await cursor.fetchall()]

    assert asyncio.run(main()) == [1, 2]


def killed_while_it_sleeps(code: str) -> None:
    """SIGKILL a process that has run this and said so."""
    said = "print('there', flush=True); import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", f"{code}\n{said}"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    child.kill()
    child.wait(20)
    child.stdout.close()


def write_at_once(path: Path, value: int) -> None:
    """Insert a row without waiting for any lock."""
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    other.execute("INSERT INTO t VALUES (?)", (value,))
    other.close()


def test_a_killed_process_commits_nothing(world: object, tmp_path: Path) -> None:
    """SIGKILL inside a transaction: it never happened, and its lock is free."""
    path = database(tmp_path / "db")
    killed_while_it_sleeps(
        f"import sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "c.execute('INSERT INTO t VALUES (1)')\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "c.execute('INSERT INTO t VALUES (2)')"
    )
    write_at_once(path, 3)
    assert rows(path) == [1, 3]


def test_a_process_killed_while_it_reads_holds_no_lock(world: object, tmp_path: Path) -> None:
    """SIGKILL with a cursor half read inside a transaction: nobody is kept from writing."""
    path = database(tmp_path / "db")
    killed_while_it_sleeps(
        f"import sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "c.executemany('INSERT INTO t VALUES (?)', [(1,), (2,)])\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "cursor = c.execute('SELECT x FROM t')\n"
        "cursor.fetchone()"
    )
    write_at_once(path, 3)
    assert rows(path) == [1, 2, 3]


# -- faults of the disk, in the simulation only


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (DiskFault.FULL, sqlite3.SQLITE_FULL),
        (DiskFault.READ_ONLY, sqlite3.SQLITE_READONLY),
        (DiskFault.IO_ERROR, sqlite3.SQLITE_IOERR),
    ],
)
def test_a_disk_that_refuses(sim: World, tmp_path: Path, fault: DiskFault, code: int) -> None:
    """Writes fail with the engine's own code while it lasts, their transaction is undone; afterwards all is well."""
    path = database(tmp_path / "db")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t VALUES (1)")
    with sim.machine.disk.trouble(fault, tmp_path):
        with pytest.raises(sqlite3.OperationalError) as error:
            connection.execute("COMMIT")
        assert error.value.sqlite_errorcode == code
        assert not connection.in_transaction
        with pytest.raises(OSError, match=r"No space|Read-only|Input/output"):
            (tmp_path / "file").write_text("x")
    connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    assert rows(path) == [2]


@pytest.mark.parametrize("fault", [DiskFault.FULL, DiskFault.READ_ONLY, DiskFault.IO_ERROR])
def test_a_file_that_is_there_is_not_made_again_whatever_the_disk_has(
    sim: World, tmp_path: Path, fault: DiskFault
) -> None:
    """The kernel looks for the name first: EEXIST, as without any fault; a new file is the disk's to refuse."""
    exclusive = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    (tmp_path / "there").write_text("x")
    with sim.machine.disk.trouble(fault, tmp_path):
        with pytest.raises(FileExistsError):
            os.open(tmp_path / "there", exclusive)
        with pytest.raises(OSError, match=r"No space|Read-only|Input/output"):
            os.open(tmp_path / "new", exclusive)


def test_a_slow_disk(sim: World, tmp_path: Path) -> None:
    """Each statement takes virtual time."""
    path = database(tmp_path / "db")
    connection = sqlite3.connect(path, isolation_level=None)
    with sim.machine.disk.trouble(DiskFault.SLOW, path, seconds=0.25):
        begin = time.monotonic()
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("SELECT * FROM t")
    assert round(time.monotonic() - begin, 6) == 0.5
    connection.close()


def test_a_corrupt_file_is_noticed(sim: World, tmp_path: Path) -> None:
    """Flipped bits are what SQLite's own check finds."""
    path = database(tmp_path / "db", wal=False)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(200)])
    connection.close()
    assert len(sim.machine.disk.corrupt(path, flips=400)) == 400
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        found = [(str(error),)]
    assert found != [("ok",)]
    connection.close()


@pytest.mark.parametrize(("level", "kept"), [("FULL", [1, 2]), ("OFF", [1])])
def test_a_loss_of_power_takes_what_was_not_synced(sim: World, tmp_path: Path, level: str, kept: list[int]) -> None:
    """What was committed with synchronous=FULL is there after a power cut, what was committed with OFF is not."""
    path = database(tmp_path / "db")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("INSERT INTO t VALUES (1)")
    sim.machine.disk.track(tmp_path)
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    sim.machine.disk.power_cut(tmp_path)
    assert rows(path) == kept


def test_files_that_were_synced_survive(sim: World, tmp_path: Path) -> None:
    """A file is durable by os.fsync; without it a loss of power leaves nothing of it."""
    import os

    sim.machine.disk.track(tmp_path)
    for name, sync in (("kept", True), ("lost", False)):
        with (tmp_path / name).open("w") as file:
            file.write("text")
            file.flush()
            if sync:
                os.fsync(file.fileno())
    changed = sim.machine.disk.power_cut(tmp_path)
    assert [path.name for path in changed] == ["lost"]
    assert (tmp_path / "kept").read_text() == "text"
    assert (tmp_path / "lost").read_text() == ""


def test_who_holds_a_lock_and_wants_more_does_not_wait(world: object, tmp_path: Path) -> None:
    """Two readers that both want to write: SQLite sees the deadlock, and tells one of them at once.

    The other one's commit waits for the reader as long as its time-out says.
    """
    path = tmp_path / "db"
    first, second = (sqlite3.connect(path, timeout=each, isolation_level=None) for each in (1, 20))
    first.execute("CREATE TABLE t (x)")
    for connection in (first, second):
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
    first.execute("INSERT INTO t VALUES (1)")

    begin = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        second.execute("INSERT INTO t VALUES (2)")
    assert time.monotonic() - begin < 10
    begin = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        first.execute("COMMIT")
    assert 0.9 < time.monotonic() - begin < 10
    second.execute("ROLLBACK")
    first.execute("COMMIT")
    assert rows(path) == [1]
    first.close()
    second.close()


def test_who_read_something_old_does_not_wait(world: object, tmp_path: Path) -> None:
    """In WAL mode a reader whose snapshot is outdated cannot write, however long it waits: it is told at once."""
    path = database(tmp_path / "db")
    first, second = (sqlite3.connect(path, timeout=20, isolation_level=None) for _ in range(2))
    second.execute("BEGIN")
    second.execute("SELECT * FROM t").fetchall()
    first.execute("INSERT INTO t VALUES (1)")
    begin = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked") as caught:
        second.execute("INSERT INTO t VALUES (2)")
    assert caught.value.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"
    assert time.monotonic() - begin < 10
    first.close()
    second.close()
