"""One run from set-up to verdict, on a target made of plain objects: whatever fails, it is torn down and judged
truly.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.agent.journal import Journal
from harness.agent.protocol import socket_path
from harness.agent.server import AgentServer
from harness.checks.verdict import Outcome
from harness.errors import FaultError, NeverReady, TargetError, UsageError
from harness.history.records import Event, Fault, FaultEvent, Operation, Phase, PhaseName, Status, Step
from harness.runner import Run, RunResult, planned_length
from harness.scenario.model import Scenario, World
from harness.targets.base import Place, PlaceKind, Reply, StopHow

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

TORN_DOWN = ["collect", "stop term", "collect files", "audit", "close"]


def raising(error: BaseException) -> Callable[[], Awaitable[Any]]:
    """A script that raises."""

    async def script() -> None:
        raise error

    return script


async def hang() -> None:
    """A script that is never over."""
    await asyncio.Event().wait()


@pytest.fixture
def play(driver: FakeDriver, tmp_path: Path) -> Callable[[Scenario], RunResult]:
    """Plays a scenario on the fake target."""
    return lambda scenario: asyncio.run(Run(scenario, driver, 1, tmp_path).run())


Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


def problems(result: RunResult) -> dict[str, str]:
    """What went wrong in the teardown, by step."""
    return {e.place: e.detail["error"] for e in result.history.of(Event) if e.name == "teardown-problem"}


# -- verdicts --------------------------------------------------------------------------------------------------


def test_a_run_in_which_all_holds_passes(driver: FakeDriver, short: Short, play: Play) -> None:
    """Set-up, load, settle, teardown in this order; five jobs were judged; time 0 is the begin of the run
    phase.
    """
    result = play(short())

    assert (result.verdict.outcome, result.error) == (Outcome.PASS, None)
    assert [op.status for op in result.history.operations("jobs")] == [Status.OK] * 5
    assert driver.order == ["start", *TORN_DOWN]
    assert [p.name for p in result.history.of(Phase)] == [
        name for name in ("setup", "steady", "run", "settle", "teardown") for _ in range(2)
    ]
    begin, _ = result.history.phase(PhaseName.RUN) or (None, None)
    assert begin == pytest.approx(0.0, abs=0.05)


def test_a_broken_promise_fails_the_run(driver: FakeDriver, short: Short, play: Play) -> None:
    """What the audit found is the evidence."""

    async def orphan() -> list[dict[str, Any]]:
        return [{"pid": 4711}]

    driver.script["audit"] = orphan

    result = play(short())

    assert result.verdict.outcome is Outcome.FAIL
    assert [c.name for c in result.verdict.failures] == ["no-orphan-process"]
    assert "pid 4711" in result.verdict.failures[0].evidence[0].text


def test_nothing_seen_is_unknown(driver: FakeDriver, short: Short, play: Play) -> None:
    """Every call refused: nothing was accepted, so nothing is proven, and that is no pass."""

    async def refuse() -> Reply:
        return Reply(Status.FAIL, error="503 full")

    driver.script["call"] = refuse

    assert play(short(checks={"always": ["no-lost-job"]})).verdict.outcome is Outcome.UNKNOWN


def test_a_known_failure_passes_and_a_cured_one_fails(driver: FakeDriver, short: Short, play: Play) -> None:
    """``known:`` is a strict expected failure."""
    known = {"issue": "some/where#1", "until": "9999-01-01"}

    async def orphan() -> list[dict[str, Any]]:
        return [{"pid": 4711}]

    cured = play(short(known=known))
    driver.script["audit"] = orphan
    still_there = play(short(known=known))

    assert still_there.verdict.outcome is Outcome.PASS
    assert "some/where#1" in still_there.verdict.reason
    assert cured.verdict.outcome is Outcome.FAIL
    assert "remove the `known:` entry" in cured.verdict.reason


def test_a_target_that_is_never_steady_is_not_judged(driver: FakeDriver, short: Short, play: Play) -> None:
    """Exit 4 says what was waited for and what was seen; no call was made."""
    result = play(short(steady=[{"within": "200ms", "expect": {"registered-handlers": 3}}]))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert result.verdict.reason == "waited 0.2 s for registered-handlers 3; last seen: registered-handlers 1"
    assert "call" not in driver.told
    assert driver.order == ["start", *TORN_DOWN]


def test_a_run_cut_at_its_limit_proves_nothing(short: Short, play: Play) -> None:
    """What held until then does not show that the rest would have."""
    scenario = short(
        limits={"run": "300ms", "settle": "1s"},
        workload=[{"id": "jobs", "op": "job.submit", "with": {"handler": "h1"}, "rate": "20/s", "for": "1min"}],
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.UNKNOWN
    assert result.verdict.reason == "the run was cut at its limit of 0.3 s"
    assert result.verdict.duration < 3.0


def test_an_abort_rule_ends_the_run(short: Short, play: Play) -> None:
    """The verdict names the rule; the run ends long before its load does."""
    scenario = short(
        abort_if=[{"free-disk": "> 1kB"}],
        workload=[{"id": "jobs", "op": "job.submit", "with": {"handler": "h1"}, "rate": "20/s", "for": "1min"}],
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.ABORTED
    assert result.verdict.reason == "stopped by a rule: free-disk > 1kB"
    assert result.verdict.duration < 4.0


# -- what can go wrong before and in the run -------------------------------------------------------------------


def test_a_start_that_fails_is_a_target_that_is_not_steady(
    driver: FakeDriver, short: Short, play: Play
) -> None:
    """What the target said is the reason; everything is torn down; no run phase ever began."""
    driver.script["start"] = raising(NeverReady("the port is taken"))

    result = play(short())

    assert (result.verdict.outcome, result.verdict.reason) == (Outcome.UNSTEADY, "the port is taken")
    assert driver.order == ["start", *TORN_DOWN]
    assert result.history.phase(PhaseName.RUN) is None


def test_a_start_that_hangs_is_broken_off(
    driver: FakeDriver, short: Short, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner itself holds ``limits.setup``, whatever the target does."""
    monkeypatch.setattr("harness.runner.START_GRACE", 0.1)
    driver.script["start"] = hang

    result = play(short(limits={"setup": "200ms"}))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert result.verdict.reason == "the start was not over after 0.2 s (limits.setup) and was broken off"
    assert driver.order == ["start", *TORN_DOWN]


def test_a_probe_that_hangs_holds_up_nothing(driver: FakeDriver, short: Short, play: Play) -> None:
    """An expectation before the run fails in its own time; the event tells why nothing was seen."""
    driver.script["probe"] = hang

    result = play(short(steady=[{"within": "300ms", "expect": {"backlog": 0}}]))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert "last seen: no backlog" in result.verdict.reason
    assert "probe-problem" in [e.name for e in result.history.of(Event)]


def test_a_driver_that_raises_in_a_call_is_evidence_not_an_end(
    driver: FakeDriver, short: Short, play: Play
) -> None:
    """The call is recorded as unknown, and the run goes on."""
    driver.script["call"] = raising(RuntimeError("broken driver"))

    result = play(short(thresholds={"jobs.unknowns": ["ratio < 1%"]}))

    assert [op.status for op in result.history.of(Operation)] == [Status.INFO] * 5
    assert result.verdict.outcome is Outcome.FAIL


def test_a_workload_that_cannot_be_played_is_an_error_of_the_harness(
    driver: FakeDriver, short: Short, play: Play
) -> None:
    """Arguments that cannot be made end the run in one sentence; the target is torn down all the same."""
    workload = [{"id": "jobs", "op": "job.submit", "with": {"handler": "x*"}, "rate": "20/s", "for": "1s"}]

    result = play(short(workload=workload))

    assert result.verdict.outcome is Outcome.ERROR
    assert "x*" in result.verdict.reason
    assert driver.order == ["start", *TORN_DOWN]


@pytest.mark.parametrize(("section", "outcome"), [("given", Outcome.UNSTEADY), ("when", Outcome.FAIL)])
def test_a_step_that_does_not_come_out_as_expected_ends_the_run(
    driver: FakeDriver, short: Short, play: Play, section: str, outcome: Outcome
) -> None:
    """What was given and is not so leaves nothing to judge; what happens otherwise under test has failed.

    The reason names the step, what was expected and what came.
    """
    step = {"op": "job.submit", "id": "first", "with": {"handler": "h1"}, "expect": "fail"}
    scenario = short(kind="regression", workload=[], **{section: [step]})

    result = play(scenario)

    assert result.verdict.outcome is outcome
    assert result.verdict.reason == f"{section} first: expected fail, got ok"


def test_a_target_that_cannot_be_made_is_an_error_and_leaves_nothing(
    driver: FakeDriver, short: Short, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written, say: the verdict tells it, no traceback does."""

    def create(scenario: Scenario, context: object) -> Any:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(driver, "create", create)

    result = play(short())

    assert result.verdict.outcome is Outcome.ERROR
    assert "Permission denied: '/somewhere'" in result.verdict.reason
    assert driver.told == []


def test_a_world_that_the_scenario_or_the_driver_does_not_know_is_a_mistake_of_the_caller(
    driver: FakeDriver, short: Short, tmp_path: Path
) -> None:
    """Nothing is started; the message tells which worlds there are."""
    simulated = Run(short(), driver, 1, tmp_path, World.SIM)
    unknown = Run(short(worlds=["sim"]), driver, 1, tmp_path, World.SIM)

    with pytest.raises(UsageError, match=r"short runs in: real; asked for: sim"):
        asyncio.run(simulated.run())
    with pytest.raises(UsageError, match=r"the driver fake does not know the world sim yet"):
        asyncio.run(unknown.run())
    assert driver.told == []


# -- faults ----------------------------------------------------------------------------------------------------


class StubbornAgent:
    """An agent that takes a switch and refuses to take it back."""

    def __init__(self, directory: Path) -> None:
        self.server = AgentServer(directory, Journal(directory / "journal" / "1.jsonl"))
        self.server.command("switch", self._switch)
        self.server.start()

    def _switch(self, name: str, value: Any = None) -> dict[str, Any]:
        if value is None:
            raise RuntimeError("stuck")
        return {"before": None}


@pytest.fixture
def stubborn() -> Iterator[Place]:
    """The place of a handler whose fault cannot be healed."""
    import os

    with tempfile.TemporaryDirectory(prefix="hx-") as name:
        agent = StubbornAgent(Path(name))
        yield Place(
            PlaceKind.HANDLER, "h1", "handlers", pid=os.getpid(), control=str(socket_path(name, os.getpid()))
        )
        agent.server.close()
        agent.server.journal.close()


def test_a_fault_that_cannot_be_healed_is_an_error_after_a_full_teardown(
    driver: FakeDriver, short: Short, play: Play, stubborn: Place
) -> None:
    """The record says that healing failed, the verdict which fault it was, and everything is taken down."""
    driver.places_now = [stubborn]
    scenario = short(
        faults=[{"id": "mute", "kind": "handler.silent", "where": "h1", "at": "50ms", "for": "100ms"}]
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.ERROR
    assert isinstance(result.error, FaultError)
    assert "mute" in result.verdict.reason
    assert [f.event for f in result.history.of(Fault)][-1] is FaultEvent.FAILED
    assert driver.order == ["start", *TORN_DOWN]


# -- teardown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["collect", "stop term", "collect files", "audit", "close"])
def test_each_step_of_the_teardown_may_raise(driver: FakeDriver, short: Short, play: Play, step: str) -> None:
    """All the others are done, the history tells what failed, and such a run is no pass."""
    driver.script[step] = raising(OSError(5, "Input/output error"))

    result = play(short(checks={"always": [{"registered-handlers": {"count": 1}}]}))

    name = "stop" if step == "stop term" else step
    assert driver.order == ["start", *TORN_DOWN]
    assert problems(result) == {name: "OSError: [Errno 5] Input/output error"}
    assert result.verdict.outcome is Outcome.ERROR
    assert result.verdict.reason == f"the teardown went wrong: {name}: OSError: [Errno 5] Input/output error"


@pytest.mark.parametrize("step", ["collect", "collect files", "audit", "close"])
def test_each_step_of_the_teardown_may_hang(driver: FakeDriver, short: Short, play: Play, step: str) -> None:
    """It is cut at the limit, and all the others are done."""
    driver.script[step] = hang

    result = play(
        short(limits={"teardown": "200ms"}, checks={"always": [{"registered-handlers": {"count": 1}}]})
    )

    assert driver.order == ["start", *TORN_DOWN]
    assert problems(result) == {step: "not done after 0.2 s"}
    assert result.verdict.outcome is Outcome.ERROR


def test_a_stop_that_hangs_is_given_time_for_force_and_then_left(
    driver: FakeDriver, short: Short, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit and the close come all the same: the close kills what is left."""
    monkeypatch.setattr("harness.teardown.FORCE", 0.1)
    driver.script["stop term"] = hang

    result = play(short(limits={"teardown": "200ms"}))

    assert driver.order == ["start", *TORN_DOWN]
    assert problems(result) == {"stop": "not done after 0.3 s"}


# -- interrupts ------------------------------------------------------------------------------------------------


async def _interrupted(run: Run, driver: FakeDriver, moment: str, times: int) -> RunResult:
    """Play, and interrupt `times` times once the target is told `moment`."""
    running = asyncio.create_task(run.run())
    while moment not in driver.told:
        await asyncio.sleep(0.005)
    for _ in range(times):
        run.interrupt()
        await asyncio.sleep(0.02)
    return await asyncio.wait_for(running, 20.0)


LONG = [{"id": "jobs", "op": "job.submit", "with": {"handler": "h1"}, "rate": "50/s", "for": "1min"}]
MOMENTS = ["start", "probe", "call", "collect", "stop term", "collect files", "audit", "close"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_interrupt_at_any_moment_takes_all_down_in_good_order(
    driver: FakeDriver, short: Short, tmp_path: Path, moment: str
) -> None:
    """Verdict interrupted, by SIGTERM, with every step of the teardown done to its end."""
    if moment == "start":
        driver.script["start"] = hang
    limits = {"run": "30s", "settle": "2s", "teardown": "3s"}
    busy = moment == "call"
    scenario = short(
        limits=limits,
        **({"workload": LONG} if busy else {}),
        steady=[{"within": "2s", "expect": {"backlog": 0}}],
    )

    async def slowly() -> None:
        await asyncio.sleep(0.2)

    if moment in TORN_DOWN:
        driver.script[moment] = slowly

    result = asyncio.run(_interrupted(Run(scenario, driver, 1, tmp_path), driver, moment, 1))

    assert result.verdict.outcome is Outcome.INTERRUPTED
    assert result.verdict.outcome.exit_code == 130
    assert driver.order == ["start", *TORN_DOWN]
    assert driver.stops == [StopHow.TERM]
    assert problems(result) == {}


@pytest.mark.parametrize(
    ("moment", "order"),
    [
        ("call", ["start", "stop kill", "stop kill", "collect files", "audit", "close"]),
        ("stop term", ["start", "collect", "stop term", "stop kill", "collect files", "audit", "close"]),
        ("audit", ["start", *TORN_DOWN]),
    ],
)
def test_a_second_interrupt_kills_what_is_left_at_once(
    driver: FakeDriver, short: Short, tmp_path: Path, moment: str, order: list[str]
) -> None:
    """Whatever hangs is cut short; what still runs is killed, and the search for left-overs and the close still
    come.
    """
    driver.script[moment] = hang
    limits = {"run": "30s", "settle": "2s", "teardown": "60s"}
    scenario = short(limits=limits, **({"workload": LONG} if moment == "call" else {}))

    result, took = asyncio.run(_timed(_interrupted(Run(scenario, driver, 1, tmp_path), driver, moment, 2)))

    assert result.verdict.outcome is Outcome.INTERRUPTED
    assert driver.order == order
    assert took < 4.0


async def _timed(work: Awaitable[RunResult]) -> tuple[RunResult, float]:
    begin = asyncio.get_running_loop().time()
    return await work, asyncio.get_running_loop().time() - begin


def test_an_interrupt_counts_also_when_something_breaks_on_the_way_down(
    driver: FakeDriver, short: Short, tmp_path: Path
) -> None:
    """A start that answers its cancellation with an error of its own does not hide that it was interrupted."""

    async def start() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TargetError("half started") from None

    driver.script["start"] = start

    result = asyncio.run(_interrupted(Run(short(), driver, 1, tmp_path), driver, "start", 1))

    assert result.verdict.outcome is Outcome.INTERRUPTED


def test_a_caller_that_is_cancelled_leaves_nothing_running(
    driver: FakeDriver, short: Short, tmp_path: Path
) -> None:
    """Cancelling the coroutine is an interrupt: the teardown is finished before it ends."""

    async def cancelled() -> RunResult:
        running = asyncio.create_task(Run(short(workload=LONG), driver, 1, tmp_path).run())
        while "call" not in driver.told:
            await asyncio.sleep(0.005)
        running.cancel()
        return await asyncio.wait_for(running, 20.0)

    assert asyncio.run(cancelled()).verdict.outcome is Outcome.INTERRUPTED
    assert driver.order == ["start", *TORN_DOWN]


# -- cycles ----------------------------------------------------------------------------------------------------


def test_cycles_are_played_and_the_target_started_once_more(
    driver: FakeDriver, short: Short, play: Play
) -> None:
    """Two cycles, then one start for what was accepted to be done, then the teardown."""
    scenario = short(
        kind="cycles",
        workload=[],
        cycles={"count": 2, "steps": ["start", "stop"]},
        checks={"finally": ["no-orphan-process"]},
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.PASS
    assert driver.order == ["start", "stop term", "audit"] * 2 + ["start", *TORN_DOWN]
    assert [s.step for s in result.history.of(Step)] == ["start", "stop", "start", "stop"]


def test_a_target_that_does_not_start_after_its_cycles_fails_the_run(
    driver: FakeDriver, short: Short, play: Play
) -> None:
    """It is evidence like that of any cycle, not a target that was never steady."""
    starts = 0

    async def start() -> None:
        nonlocal starts
        starts += 1
        if starts == 3:
            raise NeverReady("the lock is still held")

    driver.script["start"] = start
    scenario = short(
        kind="cycles",
        workload=[],
        cycles={"count": 2, "steps": ["start", "stop"]},
        checks={"finally": ["no-orphan-process"]},
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.FAIL
    assert [(c.name, c.summary) for c in result.verdict.failures] == [("steps-done", "1 of 5 steps failed")]
    assert "the lock is still held" in result.verdict.failures[0].evidence[0].text


def test_cycles_cut_at_their_limit_prove_nothing(short: Short, play: Play) -> None:
    """The reason tells how many of how many were played."""
    scenario = short(
        kind="cycles",
        workload=[],
        limits={"run": "100ms", "settle": "1s"},
        checks={"finally": ["no-orphan-process"]},
        cycles={"count": 50, "steps": ["start", "stop"], "gap": "60ms..60ms"},
    )

    result = play(scenario)

    assert result.verdict.outcome is Outcome.UNKNOWN
    assert result.verdict.reason.startswith("cut at its limit of 0.1 s, after ")
    assert result.verdict.reason.endswith(" of 50 cycles")


# -- lengths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "seconds"),
    [
        ({}, 0.25),
        ({"limits": {"run": "100ms"}}, 0.1),
        ({"workload": [{"id": "x", "op": "job.submit", "model": "once", "count": 3}]}, 5.0),
        ({"kind": "regression", "workload": [], "when": [{"advance": "2s"}, {"advance": "1s"}]}, 3.0),
    ],
)
def test_the_length_that_faults_are_planned_for(short: Short, sections: dict[str, Any], seconds: float) -> None:
    """The longest workload or all steps, never more than the limit, which stands in where nothing tells."""
    assert planned_length(short(**sections)) == seconds
