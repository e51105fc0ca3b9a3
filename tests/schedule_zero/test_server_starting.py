"""A server that is asked to stop while it starts, and one whose store is damaged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from schedule_zero import database, server
from schedule_zero.database import Database
from schedule_zero.exits import ExitCode
from schedule_zero.schema import TABLES
from schedule_zero.server import Server
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.store_errors import StoreCorrupt

pytestmark = pytest.mark.integration


def run(scene: Coroutine[Any, Any, None]) -> None:
    """Run a scene in a loop of its own, with a deadline."""
    asyncio.run(asyncio.wait_for(scene, 30.0))


def make_store(path: Path, large: int = 0) -> dict[str, int]:
    """A store as a server leaves it, with so many executions of 1 MB; the page of each table's and index' root."""

    async def scene() -> None:
        made = Database(path)
        await made.start()
        await made.close()

    run(scene())
    with contextlib.closing(sqlite3.connect(path)) as store:
        for number in range(large):
            values = (f"j{number}", "h", "m", "[]", "success", number, "x" * 1_000_000)
            columns = "job_id, handler_id, method, attempts, outcome, ended_at, result"
            store.execute(f"INSERT INTO executions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        store.commit()
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return dict(store.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage").fetchall())


def damage(path: Path, page: int) -> None:
    """Noise over one page."""
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xde\xad" * 2048)


ROOTS = [made.split()[5] for made in TABLES]


@pytest.mark.parametrize("name", [*ROOTS, "sqlite_autoindex_jobs_1", "sqlite_autoindex_executions_1"])
def test_damage_to_any_table_of_a_large_store_is_found_at_the_start(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the size up to which a file is checked from end to end, every table and index is looked at."""
    monkeypatch.setattr(database, "_CHECKED", 0)
    roots = make_store(tmp_path / "a.db", large=2)
    assert set(ROOTS) < set(roots)

    async def scene() -> None:
        whole = Database(tmp_path / "a.db")
        await whole.start()
        await whole.close()
        damage(tmp_path / "a.db", roots[name])
        with pytest.raises(StoreCorrupt, match="restore the latest backup"):
            await Database(tmp_path / "a.db").start()

    run(scene())


@pytest.mark.parametrize("name", ["jobs", "tasks", "jobs_acquired"])
def test_damage_that_is_met_later_in_the_start_ends_it_too(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no look at the file has found, the first work on it does: StoreCorrupt at once, instead of one try after
    another for ever.
    """
    damage(tmp_path / "a.db", make_store(tmp_path / "a.db")[name])
    monkeypatch.setattr(database, "_fault", lambda connection: None)

    async def scene() -> None:
        service = SchedulerService(ServiceConfig(database=tmp_path / "a.db"))
        with pytest.raises(StoreCorrupt, match="malformed"):
            async with asyncio.timeout(10.0):
                await service.start()

    run(scene())


def test_damage_met_at_a_commit_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside any piece of work as well: the callers get StoreCorrupt, health says so, the log once."""

    def torn(*args: object) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    async def scene() -> None:
        store = Database(tmp_path / "a.db")
        await store.start()
        with monkeypatch.context() as patch:
            patch.setattr(store, "_run_batch", torn)
            for _ in range(2):
                with pytest.raises(StoreCorrupt, match=r"a\.db: database disk image is malformed; .*restore"):
                    await store.write(lambda c: None)
        assert store.retries == 0
        assert "malformed" in (await store.probe() or "")
        await store.close()

    run(scene())
    told = [record for record in caplog.records if "the store is damaged" in record.message]
    assert [record.levelname for record in told] == ["ERROR"]
    assert "works again" not in caplog.text


def start_process(folder: Path, store: Path) -> subprocess.Popen[bytes]:
    """A server process on this store, on free ports."""
    (folder / "d.yaml").write_text(f"http: {{port: 0}}\nzmq: {{port: 0}}\ndatabase: {store}\nregistry: r.yaml\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("SCHEDULEZERO_")}
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "schedule_zero.server", "--config", str(folder / "d.yaml")]
        return subprocess.Popen(command, stderr=log, env=env)


def test_a_damaged_store_of_any_size_ends_the_process_with_its_exit_code(tmp_path: Path) -> None:
    """40 MB, the root of the table of jobs damaged: exit code 4 and what to do, no traceback."""
    roots = make_store(tmp_path / "a.db", large=40)
    damage(tmp_path / "a.db", roots["jobs"])
    child = start_process(tmp_path, tmp_path / "a.db")
    try:
        assert child.wait(20.0) == ExitCode.STORE
    finally:
        child.kill()
        child.wait(10.0)
    log = (tmp_path / "log").read_text()
    assert "malformed; if it was a database of this package, keep the file and restore the latest backup" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_start_that_waits_for_a_lock(tmp_path: Path, number: signal.Signals) -> None:
    """Long before the ten seconds that it would wait: a clean end, as asked for."""
    make_store(tmp_path / "a.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        child = start_process(tmp_path, tmp_path / "a.db")
        try:
            until(lambda: opened(child.pid, tmp_path / "a.db"), "the child to open its store")
            asked = time.monotonic()
            child.send_signal(number)
            assert child.wait(20.0) == ExitCode.OK
            assert time.monotonic() - asked < 6.0
        finally:
            child.kill()
            child.wait(10.0)
    assert "asked to stop before the server was up" in (tmp_path / "log").read_text()


def opened(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    links = list(Path(f"/proc/{pid}/fd").iterdir())
    with contextlib.suppress(OSError):
        return any(link.readlink() == path for link in links)
    return False


def until(condition: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Wait for a condition; a failure says what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        time.sleep(0.005)


def test_a_start_that_cannot_be_taken_down_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not answer holds the thread of the store: whoever runs the server is told that it hangs."""
    gate, entered = threading.Event(), threading.Event()

    def hang(store: Database) -> None:
        entered.set()
        gate.wait(30.0)

    monkeypatch.setattr(Database, "_open_first", hang)
    monkeypatch.setattr(server, "_GIVEN_UP", 0.2)

    async def scene() -> None:
        made, stop, told = Server(ServiceConfig(database=tmp_path / "a.db")), asyncio.Event(), asyncio.Event()
        starting = asyncio.create_task(made.start_unless(stop, told.set))
        await asyncio.to_thread(entered.wait, 10.0)
        stop.set()
        try:
            await asyncio.wait_for(told.wait(), 10.0)
            assert not starting.done()
        finally:
            gate.set()
        assert await starting is False

    run(scene())


SCRIPT = """
import sys, threading
from schedule_zero import server
from schedule_zero.database import Database
server._GIVEN_UP = server._LONGEST_STOP = 1.0
work = getattr(Database, sys.argv[1])
def hang(store, *args):
    if sys.argv[1] == "_transact" and not any("wanted" in str(one) for one in threading.enumerate()):
        return work(store, *args)
    print("entered", flush=True)
    threading.Event().wait()
setattr(Database, sys.argv[1], hang)
def ready(*ports):
    threading.Thread(target=threading.Event().wait, name="wanted", daemon=True).start()
start = server.run_server
server.run_server = lambda config, **options: start(config, on_ready=ready, **options)
raise SystemExit(server.main(["--config", "d.yaml", "--runtime-file", "run.json"]))
"""


@pytest.mark.parametrize(
    ("work", "what"),
    [("_open_first", "a start that was given up"), ("_transact", "a stop")],
    ids=["starting", "running"],
)
def test_a_process_ends_although_its_disk_does_not_answer(tmp_path: Path, work: str, what: str) -> None:
    """Exit code 0 within its time after the signal, with a word in the log, though a thread waits for ever."""
    (tmp_path / "d.yaml").write_text(
        "http: {port: 0}\nzmq: {port: 0}\ndatabase: a.db\nregistry: r.yaml\nscheduler: {lease: 2s, stop_timeout: 1s}\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("SCHEDULEZERO_")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, work], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"entered\n"
            child.send_signal(signal.SIGTERM)
            _, log = child.communicate(timeout=20.0)
            assert child.returncode == ExitCode.OK
            assert f"{what} does not come to its end: the store does not answer, and is left" in log.decode()
            assert not (tmp_path / "run.json").exists()
        finally:
            child.kill()


def test_a_start_that_is_given_up_leaves_nothing_and_an_error_of_its_own_is_raised(tmp_path: Path) -> None:
    """Both ways out of a start: asked to stop, nothing hangs and the port is free; refused, the reason."""

    async def scene() -> None:
        stop = asyncio.Event()
        stop.set()
        made = Server(ServiceConfig(database=tmp_path / "a.db"))
        assert await made.start_unless(stop) is False
        await made.stop()
        (tmp_path / "b.db").write_text("dear diary " * 100)
        with pytest.raises(StoreCorrupt):
            await Server(ServiceConfig(database=tmp_path / "b.db")).start_unless(asyncio.Event())

    run(scene())
