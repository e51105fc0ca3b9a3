"""The fixtures, each usable alone by a project that knows nothing else of the harness."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from faker import Faker

    from harness.checks.verdict import Verdict
    from harness.faults.base import Fault
    from harness.leaks import Snapshot
    from harness.lifecycle.rounds import GovernorRounds
    from harness.mocks.mock_handler import MockHandler
    from harness.targets.schedule_zero.fixtures import ProcessGovernor, SchedulerServer, ZMQClient


@pytest.fixture
def mock_handler_factory() -> Iterator[Callable[..., MockHandler]]:
    """Makes started `MockHandler` peers with any of its arguments; all are stopped at the end of the test.

    ``handler = mock_handler_factory(behaviour=Slow(...), register_with=server.registration_address)``
    """
    from harness.mocks.mock_handler import MockHandler

    with contextlib.ExitStack() as stack:
        made = 0

        def make(name: str = "", **options: Any) -> MockHandler:
            nonlocal made
            made += 1
            return stack.enter_context(MockHandler(name or f"mock{made}", **options))

        yield make


@pytest.fixture
def mock_handler(mock_handler_factory: Callable[..., MockHandler]) -> MockHandler:
    """One running `MockHandler` that echoes; ``.behave(...)`` changes what it does, ``.calls`` is what it was asked."""
    return mock_handler_factory()


@pytest.fixture
def zmq_client(mock_handler: MockHandler) -> Iterator[ZMQClient]:
    """A `ZMQClient` connected to `mock_handler`, with a time-out of 5,000 ms; ended with its context at the end of the test."""
    from harness.targets.schedule_zero.fixtures import client

    made = client(mock_handler.address)
    try:
        yield made
    finally:
        made.terminate()


@pytest.fixture
def fault() -> Iterator[Callable[..., Fault[Any]]]:
    """Injects any kind of fault by name: ``with fault("process.pause", where=process): ...``.

    ``fault(...).inject()`` without ``with`` works too: what was injected and not healed is healed at the end of the test, last
    first.
    """
    from harness.faults.direct import fault as make

    made: list[Fault[Any]] = []

    def prepare(kind: str, where: Any, **args: Any) -> Fault[Any]:
        made.append(make(kind, where, **args))
        return made[-1]

    try:
        yield prepare
    finally:
        for one in reversed(made):
            one.heal()


@pytest.fixture
def governor(tmp_path: Path) -> Iterator[ProcessGovernor]:
    """A `ProcessGovernor` with a deployment of its own and one worker handler ``h1``, on free ports; not started, stopped at the end."""
    from harness.targets.schedule_zero import fixtures

    made = fixtures.governor(tmp_path, fixtures.worker_config("h1"))
    try:
        yield made
    finally:
        made.stop(timeout=10.0)


@pytest.fixture
def governor_driver(governor: ProcessGovernor) -> GovernorRounds:
    """Drives `governor` through cycles: ``governor_driver.cycle(20)`` raises when a step fails or something is left behind."""
    from harness.lifecycle.governor_driver import GovernorDriver
    from harness.targets.schedule_zero import fixtures

    spare = [fixtures.worker_config("h1"), fixtures.worker_config("h2")]
    return GovernorDriver.of(governor, spare, pids=governor.deployment.pids_dir)


@pytest.fixture
def scheduler_server(tmp_path: Path) -> Iterator[SchedulerServer]:
    """A running scheduler in processes of its own, without handlers: register a `MockHandler` with ``.registration_address``."""
    from harness.targets.schedule_zero.fixtures import SchedulerServer

    with SchedulerServer(tmp_path) as server:
        yield server


@pytest.fixture
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Verdict]:
    """Runs a scenario file and returns its verdict: ``assert scenario("chaos.yaml", seed=7).outcome is Outcome.PASS``.

    Relative paths are looked for from the root of the project. `overrides` are those of ``--set``, ``mutant`` breaks the target.
    """
    from harness import session

    def run(path: str | Path, *, seed: int | None = None, overrides: tuple[str, ...] = (), mutant: str = "") -> Verdict:
        seeds = None if seed is None else [seed]
        found = Path(path) if Path(path).is_absolute() else request.config.rootpath / path
        planned = session.plan([found], seeds=seeds, overrides=overrides, mutant=mutant)
        return session.Session(tmp_path / "reports").play(planned[0]).verdict

    return run


@pytest.fixture
def leak_guard() -> Iterator[Snapshot]:
    """Fails the test when it leaves a process, thread, socket, context, descriptor or listening port behind."""
    from harness.leaks import Snapshot

    before = Snapshot.take()
    yield before
    before.require_none()


@pytest.fixture
def free_port() -> Iterator[int]:
    """A TCP port on the loopback that nobody listens on, and that no other test of this machine is given until this one ends."""
    folder = Path(tempfile.gettempdir()) / f"harness-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        mark = folder / str(port)
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            if _is_stale(mark):
                mark.unlink(missing_ok=True)
            continue
        break
    try:
        mark.write_text(str(os.getpid()))
        yield port
    finally:
        mark.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_stale(mark: Path) -> bool:
    """Whether the test process that took this port is gone (killed before it could give it back)."""
    try:
        os.kill(int(mark.read_text()), 0)
    except (ProcessLookupError, ValueError, FileNotFoundError):
        return True
    except PermissionError:
        return False
    return False


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Faker:
    """A Faker of this test's own, seeded from its name: the same values in every run, whatever other tests draw."""
    from faker import Faker

    made = Faker()
    made.seed_instance(zlib.crc32(request.node.nodeid.encode()))
    return made
