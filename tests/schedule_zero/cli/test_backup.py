"""``schedule-zero backup`` and ``restore``: refusals, exit codes, and SIGKILL at any step."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main
from schedule_zero.database import Database
from schedule_zero.deployment_lock import DeploymentLock

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command on the deployment `t`."""
    return lambda *words: CliRunner().invoke(main, [*words, "--deployment", "t", "--root", str(tmp_path)])


def write(path: Path, key: str) -> None:
    """Add an idempotency key to a store, which is made where there is none."""

    async def scene() -> None:
        database = Database(path)
        await database.start()
        await database.write(lambda c: c.execute("INSERT INTO idempotency VALUES (?, 'f', 't', 0)", (key,)).rowcount)
        await database.close()

    asyncio.run(scene())


def keys(path: Path) -> list[str]:
    """The idempotency keys of a store."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT key FROM idempotency ORDER BY key")]
    finally:
        connection.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of the deployment, with the key `now` in it."""
    path = tmp_path / "t" / "schedule_zero.db"
    write(path, "now")
    return path


@pytest.mark.unit
def test_there_and_back(run: Run, store: Path, tmp_path: Path) -> None:
    """A backup restores what was there when it was made; what it replaces stays beside it, each time anew."""
    copy = tmp_path / "copy.db"

    saved = run("backup", str(copy), "--json")
    write(store, "later")
    restored = run("restore", str(copy))
    again = run("restore", str(copy))

    facts = json.loads(saved.output)
    assert (saved.exit_code, facts["path"], facts["jobs"], facts["bytes"]) == (0, str(copy), 0, copy.stat().st_size)
    assert (restored.exit_code, restored.output.startswith(f"restored {store}: 0 schedules, 0 jobs,")) == (0, True)
    assert again.exit_code == 0
    assert keys(store) == ["now"]
    assert keys(store.with_name("schedule_zero.db.before-restore")) == ["later", "now"]
    assert keys(store.with_name("schedule_zero.db.before-restore.2")) == ["now"]


@pytest.mark.unit
def test_what_cannot_be_done_is_one_line(run: Run, tmp_path: Path) -> None:
    """No store, no backup, a damaged backup: exit code 4. None of it makes a file."""
    (tmp_path / "bad.db").write_bytes(b"x" * 9000)
    store = tmp_path / "t" / "schedule_zero.db"

    results = [run("backup", str(tmp_path / "a.db")), *(run("restore", str(tmp_path / n)) for n in ("a.db", "bad.db"))]

    assert [result.exit_code for result in results] == [4, 4, 4]
    assert results[0].output == f"schedule-zero: there is no store {store}\n"
    assert results[1].output == f"schedule-zero: there is no store {tmp_path / 'a.db'}\n"
    assert "cannot be read: file is not a database; use an earlier backup" in results[2].output
    assert sorted(path.name for path in tmp_path.rglob("*.db*")) == ["bad.db"]


@pytest.mark.unit
def test_a_governed_or_opened_store_is_not_replaced(run: Run, store: Path, tmp_path: Path) -> None:
    """5 while a governor has the deployment, 4 while anybody has the store open."""
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy)).exit_code == 0
    lock = DeploymentLock(store.parent / "governor.lock", "t")
    lock.acquire()
    governed = run("restore", str(copy))
    lock.release()
    with sqlite3.connect(store) as server:
        server.execute("PRAGMA journal_mode = WAL").fetchone()
        opened = run("restore", str(copy))
    server.close()

    assert (governed.exit_code, "is already governed" in governed.output) == (5, True)
    assert (opened.exit_code, opened.output) == (
        4, f"schedule-zero: the store {store} is in use: stop its server before a backup is restored\n",
    )  # fmt: skip
    assert run("restore", str(copy)).exit_code == 0


@pytest.mark.unit
@pytest.mark.parametrize(("store", "said"), [("memory", "it has no backups"), ("postgresql://db/x", "pg_dump")])
def test_other_stores_are_told(tmp_path: Path, store: str, said: str) -> None:
    """What has no file of ours is refused with what to do instead."""
    config = tmp_path / "d.yaml"
    config.write_text(f"store: {store}")

    result = CliRunner().invoke(main, ["backup", str(tmp_path / "x.db"), "--config", str(config)])

    assert (result.exit_code, said in result.output) == (2, True)


_DYING = """
import os, signal, sys
from pathlib import Path
from schedule_zero import sqlite_backup as module
step, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
owner, _, name = step.rpartition(".")
setattr({"Path": module.Path, "os": os, "": module}[owner], name, die)
(module.copy_store if sys.argv[4] == "backup" else module.restore_backup)(source, target)
"""


def killed(step: str, source: Path, target: Path, what: str) -> None:
    """Back up or restore in a process that is killed when it comes to a step."""
    done = subprocess.run([sys.executable, "-c", _DYING, step, str(source), str(target), what], check=False)
    assert done.returncode == -signal.SIGKILL, step


@pytest.mark.integration
@pytest.mark.parametrize("step", ["inspect_store", "_settle", "Path.replace"])
def test_a_backup_that_is_killed_has_no_name(run: Run, store: Path, tmp_path: Path, step: str) -> None:
    """Before it is whole there is no file of that name; the next backup is not hindered by what is left."""
    copy = tmp_path / "copy.db"

    killed(step, store, copy, "backup")

    assert not copy.exists()
    assert run("backup", str(copy)).exit_code == 0
    assert (keys(copy), keys(store)) == (["now"], ["now"])
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


@pytest.mark.integration
@pytest.mark.parametrize("step", ["_keep", "Path.unlink", "_settle", "Path.replace"])
def test_a_restoration_that_is_killed_leaves_the_old_store(run: Run, store: Path, tmp_path: Path, step: str) -> None:
    """Up to the last step the old store is in its place, whole; restoring again then works as ever."""
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy)).exit_code == 0
    write(store, "later")

    killed(step, copy, store, "restore")

    assert keys(store) == ["later", "now"]
    assert run("restore", str(copy)).exit_code == 0
    assert keys(store) == ["now"]
    assert keys(store.with_name("schedule_zero.db.before-restore")) == ["later", "now"]
    assert not store.with_name("schedule_zero.db.before-restore.2").exists()


@pytest.mark.integration
def test_a_restoration_that_is_killed_at_the_end_has_happened(store: Path, tmp_path: Path, run: Run) -> None:
    """After the last step the restored store is in its place."""
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy)).exit_code == 0
    write(store, "later")

    killed("_sync", copy, store, "restore")

    assert keys(store) == ["now"]
