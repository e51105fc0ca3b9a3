"""What the tests of schedule_zero share: waiting, and governed deployments of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from schedule_zero.deployment import Deployment, RestartSettings, ServiceConfig
from schedule_zero.deployment_dump import write_deployment
from schedule_zero.governor_base import HandlerConfig, RestartPolicy
from schedule_zero.process_governor import ProcessGovernor
from schedule_zero.server import Server
from schedule_zero.zmq_client import ZMQClient
from schedule_zero.zmq_handler_base import BaseHandler

Until = Callable[..., None]

HANDLERS = """
import os, sys, time
from schedule_zero.zmq_handler_base import BaseHandler

class Echo(BaseHandler):
    def echo(self, value):
        return value
    def where(self):
        return {"pid": os.getpid(), "executable": sys.executable, "mark": os.environ["SZ_TEST_MARK"]}

class Dies(BaseHandler):
    def __init__(self, *args, **kwargs):
        print("no luck today", flush=True)
        os._exit(7)

class Deaf(BaseHandler):
    def stop(self, timeout=5.0):
        time.sleep(60)
"""


@pytest.fixture
def anyio_backend() -> str:
    """APScheduler's stores and zmq.asyncio run on asyncio only."""
    return "asyncio"


@pytest.fixture
def until() -> Until:
    """Wait for a condition with a deadline; a condition that stays false fails the test by name."""

    def wait(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                pytest.fail(f"waited {timeout:.1f} s for: {what}")
            time.sleep(0.005)

    return wait


class World:
    """One deployment in a folder of its own, and sight of every process that belongs to it.

    Orphans are looked for in the process table: every process that a test starts inherits a variable that no
    other has.
    """

    restart = RestartSettings(RestartPolicy.ON_FAILURE, max_restarts=2, restart_delay=0.05, backoff=1.0)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex

    def deployment(self, *handlers: HandlerConfig, **service: Any) -> Deployment:
        """The deployment `t`; port 0 everywhere unless `service` says otherwise."""
        home = self.folder / "t"
        config = ServiceConfig(
            deployment="t",
            database=home / "jobs.db",
            registry_path=home / "registry.yaml",
            data_dir=home,
            **service,
        )
        return Deployment("t", self.folder, config, handlers, self.restart)

    def processes(self) -> list[psutil.Process]:
        """Every living process that inherited this world's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.pid != os.getpid() and process.environ().get("SZ_TEST_MARK") == self.mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def pid_files(self) -> list[str]:
        """The names of the pid files there are."""
        return sorted(path.name for path in (self.folder / "t" / "pids").glob("*.pid"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose processes, if any are left, end with the test."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "world_handlers.py").write_text(HANDLERS)
    world = World(tmp_path / "deployments")
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), *([inherited] if inherited else [])])
    )
    monkeypatch.setenv("SZ_TEST_MARK", world.mark)
    yield world
    for process in world.processes():
        process.kill()


@pytest.fixture
def echo() -> Callable[..., HandlerConfig]:
    """Configures a handler of the module that `world` writes, restarted quickly and twice at most."""

    def make(handler_id: str = "h1", class_name: str = "Echo", **more: Any) -> HandlerConfig:
        options = {"restart_delay": 0.05, "max_restarts": 2, **more}
        return HandlerConfig(handler_id, "world_handlers", class_name, **options)

    return make


@pytest.fixture
def call() -> Callable[..., Any]:
    """The answer of the handler at an address."""

    def ask(address: str, method: str, **params: Any) -> Any:
        client = ZMQClient(address, timeout=5000)
        try:
            return client.call(method, params)
        finally:
            client.terminate()

    return ask


@pytest.fixture
def pid_of() -> Callable[[ProcessGovernor, str], int]:
    """The pid of a service that must be running."""

    def look(governor: ProcessGovernor, name: str) -> int:
        pid = governor.status()[name].pid
        assert pid is not None, f"{name} does not run"
        return pid

    return look


@pytest.fixture
def govern(world: World) -> Iterator[Callable[..., ProcessGovernor]]:
    """Makes governors of this world's deployment; all are stopped at the end."""
    made: list[ProcessGovernor] = []

    def make(*handlers: HandlerConfig, **options: Any) -> ProcessGovernor:
        made.append(ProcessGovernor(world.deployment(*handlers, **options)))
        return made[-1]

    yield make
    for one in made:
        one.stop(5.0)


@pytest.fixture
def foreground(world: World, tmp_path: Path, until: Until) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `schedule-zero governor start` and waits until all is up."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*handlers: HandlerConfig) -> subprocess.Popen[bytes]:
        write_deployment(world.deployment(*handlers), tmp_path / "t.json")
        ready = tmp_path / "ready.json"
        command = [
            *(sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--deployment", "t"),
            *("--config", str(tmp_path / "t.json"), "--root", str(world.folder)),
            *("--runtime-file", str(ready)),
        ]
        with (tmp_path / "governor.out").open("ab") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))
        until(lambda: ready.exists() or started[-1].poll() is not None, "the governor is up or has failed")
        assert started[-1].poll() is None, (tmp_path / "governor.out").read_text()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


class InThread:
    """A server in a thread with a loop of its own. Raises what kept it from starting."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._started: Future[Server] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="test server", daemon=True)
        self._thread.start()
        self.server = self._started.result(20.0)

    async def _live(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = Server(self._config)
        try:
            await server.start()
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(server)
        await self._stop.wait()
        await server.stop()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20.0)

    def close(self) -> None:
        """Stop it."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20.0)
        assert not self._thread.is_alive(), "the server did not stop within 20 s"


@pytest.fixture(scope="module")
def in_thread() -> Iterator[Callable[[ServiceConfig], InThread]]:
    """Start servers, each in a thread of its own; they are stopped at the end of the module."""
    started: list[InThread] = []

    def start(config: ServiceConfig) -> InThread:
        started.append(InThread(config))
        return started[-1]

    yield start
    for server in started:
        server.close()


class Worker(BaseHandler):
    """Methods of every kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs: list[Any] = []
        self.gate = threading.Event()
        self.loops: list[int] = []

    def add(self, a: int, b: int = 0) -> int:
        """A plain method."""
        self.runs.append((a, b))
        return a + b

    async def add_later(self, a: int, b: int) -> int:
        """A coroutine."""
        self.loops.append(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return a + b

    async def sleep_for_ever(self) -> None:
        """A coroutine that has to be cancelled."""
        await asyncio.Event().wait()

    def wait_for_gate(self, n: int = 0) -> int:
        """A method that runs until the test lets it go."""
        self.runs.append(n)
        self.gate.wait(30.0)
        return n

    def fail(self) -> None:
        """A method that raises."""
        raise ValueError("no such luck")

    def leave(self) -> None:
        """A method that tries to end the process."""
        raise SystemExit(3)

    def unspeakable(self) -> object:
        """A method whose result is no JSON."""
        return object()

    @staticmethod
    def constant() -> int:
        """A static method."""
        return 7

    def _private(self) -> None:
        raise AssertionError("a private method was called")

    @property
    def secret(self) -> None:
        """No method."""
        raise AssertionError("a property was read")


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A running handler that registers nowhere."""
    handler = Worker("w")
    handler.start()
    yield handler
    handler.gate.set()
    handler.stop(2.0)


@pytest.fixture
def client(worker: Worker) -> Iterator[ZMQClient]:
    """A client of that handler."""
    with ZMQClient(worker.address, timeout=10_000) as made:
        yield made


@pytest.fixture
def worker_class() -> type[Worker]:
    """To make handlers with other arguments, or to start them at another time."""
    return Worker


@pytest.fixture
def call_alone() -> Callable[..., Any]:
    """A call by a client of its own, hence on a connection of its own."""

    def ask(address: str, method: str, params: dict[str, Any], **options: Any) -> Any:
        with ZMQClient(address, timeout=20_000) as made:
            return made.call(method, params, **options)

    return ask
