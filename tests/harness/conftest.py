"""What all tests of the harness share."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

import pytest
from pydantic import BaseModel, ConfigDict

from harness.errors import UsageError
from harness.history.records import AnyRecord, Audit, Event, Execution, Job, Status
from harness.runner import Run, RunResult
from harness.scenario.model import Scenario, World
from harness.targets.base import OpSpec, Place, PlaceKind, Reply, StopHow, StopResult, TargetContext


@pytest.fixture
def anyio_backend() -> str:
    """The harness runs on asyncio; no other loop is tested."""
    return "asyncio"


class FakeTarget:
    """A target at the process boundary, made of plain objects: it keeps what it is told, and does what its
    driver's script says.

    `jobs` accepted by ``job.submit`` are done at once by the one handler ``h1``.
    """

    def __init__(self, driver: FakeDriver, scenario: Scenario, context: TargetContext) -> None:
        self.driver, self.recorder, self.timeout = driver, context.recorder, scenario.limits.teardown
        self.jobs: list[tuple[str, float]] = []
        self.running = False

    async def _do(self, name: str) -> Any:
        self.driver.told.append(name)
        script = self.driver.script.get(name)
        return None if script is None else await script()

    async def start(self) -> None:
        """Play the script."""
        await self._do("start")
        self.running = True

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """Note the signal, play the script."""
        self.driver.stops.append(how)
        await self._do(f"stop {how.value}")
        self.running = False
        return StopResult(0.0, 0, forced=False)

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Accept a job, or answer as the script says."""
        answer = await self._do("call")
        if answer is not None:
            return cast("Reply", answer)
        self.jobs.append((f"job-{len(self.jobs) + 1}", self.recorder.now()))
        return Reply(Status.OK, self.jobs[-1][0])

    def places(self) -> Sequence[Place]:
        """Those that the driver was given."""
        return self.driver.places_now

    async def probe(self) -> Mapping[str, float]:
        """All is well, or as the script says."""
        numbers = await self._do("probe")
        return (
            {"registered-handlers": 1.0, "backlog": 0.0}
            if numbers is None
            else cast("Mapping[str, float]", numbers)
        )

    async def add_handler(self, name: str) -> None:
        """Note it."""
        await self._do(f"add {name}")

    async def remove_handler(self, name: str) -> None:
        """Note it."""
        await self._do(f"remove {name}")

    async def restart_handler(self, name: str) -> None:
        """Note it."""
        await self._do(f"restart {name}")

    async def collect(self) -> Iterable[AnyRecord]:
        """Nothing, or as the script says."""
        return await self._do("collect") or ()

    async def collect_files(self) -> Iterable[AnyRecord]:
        """Every accepted job as done at once."""
        await self._do("collect files")
        return [
            record
            for job, at in self.jobs
            for record in (
                Job(
                    at=at,
                    job_id=job,
                    handler="h1",
                    method="work",
                    started=at,
                    ended=at,
                    attempts=1,
                    outcome="success",
                ),
                Execution(
                    at=at, handler="h1", request_id=job, method="work", start=at, end=at, outcome="ok", pid=1
                ),
            )
        ]

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """One search that found what the script says."""
        found = await self._do("audit") or ()
        return [Audit(at=self.recorder.now(), name="processes", scope=scope, looked_at=1, found=tuple(found))]

    async def close(self) -> None:
        """Note it."""
        await self._do("close")


class _AnyArgs(BaseModel):
    model_config = ConfigDict(extra="allow")


class FakeDriver:
    """Makes `FakeTarget`\\ s. `script` holds what a call of that name does instead; `told` what was called, in
    order.
    """

    name: ClassVar[str] = "fake"
    about: ClassVar[str] = "a target made of plain objects"
    worlds: ClassVar[tuple[World, ...]] = (World.REAL,)
    options: ClassVar[type[BaseModel]] = _AnyArgs
    scheduler_options: ClassVar[type[BaseModel]] = _AnyArgs
    handler_options: ClassVar[type[BaseModel] | None] = None
    places: ClassVar[Mapping[str, PlaceKind]] = {}
    ops: ClassVar[Mapping[str, OpSpec]] = {"job.submit": OpSpec("job.submit", "run it", _AnyArgs)}
    methods: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.script: dict[str, Callable[[], Awaitable[Any]]] = {}
        self.told: list[str] = []
        self.stops: list[StopHow] = []
        self.places_now: list[Place] = []

    def require_mutant(self, name: str) -> None:
        """There are none."""
        raise UsageError(f"the fake target has no mutant {name!r}")

    def parts(self) -> Sequence[Any]:
        """It needs nothing of a simulated world."""
        return ()

    def create(self, scenario: Scenario, context: TargetContext) -> FakeTarget:
        """A target that follows the script."""
        return FakeTarget(self, scenario, context)

    @property
    def order(self) -> list[str]:
        """What was called, without the probes and calls, whose number depends on time."""
        return [name for name in self.told if name not in ("probe", "call")]


@pytest.fixture
def driver() -> FakeDriver:
    """The driver of a target that is made of plain objects."""
    return FakeDriver()


@pytest.fixture
def short() -> Callable[..., Scenario]:
    """Makes a scenario of the fake driver that is over in a moment; `sections` replace or add keys."""

    def make(**sections: Any) -> Scenario:
        values: dict[str, Any] = {
            "scenario": 1,
            "name": "short",
            "kind": "load",
            "worlds": ["real"],
            "seed": 1,
            "limits": {"setup": "5s", "run": "5s", "settle": "2s", "teardown": "2s"},
            "target": {"driver": "fake"},
            "topology": {"handlers": {"name": "h1"}},
            "workload": [
                {
                    "id": "jobs",
                    "op": "job.submit",
                    "with": {"handler": "h1", "method": "work"},
                    "rate": "100/s",
                    "for": "50ms",
                }
            ],
            "checks": {"always": ["no-lost-job"], "finally": ["no-orphan-process"]},
        }
        return Scenario.model_validate({**values, **sections})

    return make


def raising(error: BaseException) -> Callable[[], Awaitable[Any]]:
    """A script of the fake target that raises."""

    async def script() -> None:
        raise error

    return script


async def hang() -> None:
    """A script of the fake target that is never over."""
    await asyncio.Event().wait()


class Scripts:
    """What a script of the fake target can be, and the order of a full teardown."""

    raising = staticmethod(raising)
    hang = staticmethod(hang)
    torn_down: ClassVar[list[str]] = ["collect", "stop term", "collect files", "audit", "close"]

    @staticmethod
    def problems(result: RunResult) -> dict[str, str]:
        """What went wrong in the teardown, by step."""
        return {e.place: e.detail["error"] for e in result.history.of(Event) if e.name == "teardown-problem"}


@pytest.fixture
def scripts() -> type[Scripts]:
    """Ways to have the fake target misbehave, and to see what came of it."""
    return Scripts


@pytest.fixture
def play(driver: FakeDriver, tmp_path: Path) -> Callable[[Scenario], RunResult]:
    """Plays a scenario on the fake target."""
    return lambda scenario: asyncio.run(Run(scenario, driver, 1, tmp_path).run())


def _beside(name: str) -> ModuleType:
    """A module beside this file: test folders are no packages, so it is loaded by its path."""
    full = f"harness_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture
def write() -> Any:
    """Short ways to write records, as `writing.Write` has them."""
    return _beside("writing").Write()
