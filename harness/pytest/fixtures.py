"""The fixtures, each usable alone by a project that knows nothing else of the harness."""

from __future__ import annotations

import contextlib
import socket
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
    """One running `MockHandler` that echoes; ``.behave(...)`` changes what it does, ``.calls`` is what it was
    asked.
    """
    return mock_handler_factory()


@pytest.fixture
def zmq_client(mock_handler: MockHandler) -> Iterator[ZMQClient]:
    """A `ZMQClient` connected to `mock_handler`, with a time-out of 5,000 ms; terminated at the end of the
    test.
    """
    from harness.targets.schedule_zero.fixtures import client

    made = client(mock_handler.address)
    try:
        yield made
    finally:
        made.terminate()


@pytest.fixture
def fault() -> Iterator[Callable[..., Fault[Any]]]:
    """Injects any kind of fault by name: ``with fault("process.pause", where=process): ...``.

    ``fault(...).inject()`` without ``with`` works too: what was injected and not healed is healed at the end of
    the test, last first, each of them whatever the one before says.
    """
    from harness.faults.direct import fault as make

    with contextlib.ExitStack() as stack:

        def prepare(kind: str, where: Any, **args: Any) -> Fault[Any]:
            made = make(kind, where, **args)
            stack.callback(made.heal)
            return made

        yield prepare


@pytest.fixture
def governor(tmp_path: Path) -> Iterator[ProcessGovernor]:
    """A `ProcessGovernor` of one worker handler ``h1`` on free ports; not started; stopped at the end of the
    test.
    """
    from harness.targets.schedule_zero import fixtures

    made = fixtures.governor(tmp_path, fixtures.worker_config("h1"))
    try:
        yield made
    finally:
        made.stop(timeout=10.0)


@pytest.fixture
def governor_driver(governor: ProcessGovernor) -> GovernorRounds:
    """Drives `governor` through cycles: ``governor_driver.cycle(20)`` raises when a step fails or something
    is left behind.
    """
    from harness.lifecycle.governor_driver import GovernorDriver
    from harness.targets.schedule_zero import fixtures

    spare = [fixtures.worker_config("h1"), fixtures.worker_config("h2")]
    return GovernorDriver.of(governor, spare, pids=governor.deployment.pids_dir)


@pytest.fixture
def scheduler_server(tmp_path: Path) -> Iterator[SchedulerServer]:
    """A running scheduler in processes of its own, without handlers.

    Register a `MockHandler` with it:
    ``mock_handler_factory(register_with=scheduler_server.registration_address)``.
    """
    from harness.targets.schedule_zero.fixtures import SchedulerServer

    with SchedulerServer(tmp_path) as server:
        yield server


@pytest.fixture
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Verdict]:
    """Runs a scenario file and returns its verdict: ``assert scenario("chaos.yaml", seed=7).outcome is
    Outcome.PASS``.

    Relative paths are looked for from the root of the project. `overrides` are those of ``--set``, `mutant`
    breaks
    the target, `only` names one of several scenarios in a file. Raises `UsageError` when that is not one run.
    """
    from harness import session
    from harness.errors import UsageError
    from harness.pytest.alarm import play
    from harness.scenario.model import World

    def run(
        path: str | Path,
        *,
        seed: int | None = None,
        world: str | None = None,
        overrides: tuple[str, ...] = (),
        mutant: str = "",
        only: str = "",
    ) -> Verdict:
        planned = session.plan(
            [request.config.rootpath / path],
            world=World(world) if world else None,
            seeds=None if seed is None else [seed],
            overrides=overrides,
            mutant=mutant,
            only=only,
        )
        if len(planned) != 1:
            names = ", ".join(f"{run.loaded.scenario.name} with seed {run.seed}" for run in planned)
            raise UsageError(
                f"{path}: expected one run, found {names or 'none'}; choose it by `only` and `seed`"
            )
        return play(session.Session(tmp_path / "reports"), planned[0]).verdict

    return run


@pytest.fixture
def leak_guard() -> Iterator[Snapshot]:
    """Fails the test when it leaves a process, thread, socket, context, descriptor or listening port behind.

    Processes that were left are killed. A test that leaves pid files is found by `governor_driver`, which knows
    where they lie.
    """
    from harness.leaks import guarded

    with guarded() as before:
        yield before


@pytest.fixture
def free_port() -> Iterator[int]:
    """A TCP port on the loopback that nobody listens on, and that no other test of this machine is given
    meanwhile.
    """
    with contextlib.ExitStack() as stack:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if (mine := _claim(port)) is not None:
                stack.enter_context(mine)
                yield port
                return


def _claim(port: int) -> socket.socket | None:
    """Take the name of this port among all tests of this machine; None when another test has it.

    The name is one in the abstract namespace of Unix sockets (unix(7)): the system takes it back when this
    process ends, however it ends, and it leaves no file.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0harness-free-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Faker:
    """A Faker seeded from the name of the test: the same values in every run, whatever other tests draw."""
    from faker import Faker

    made = Faker()
    made.seed_instance(zlib.crc32(request.node.nodeid.encode()))
    return made
