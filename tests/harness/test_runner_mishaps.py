"""What can go wrong before a run and in it: the target is torn down, and the verdict says the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.verdict import Outcome
from harness.errors import HarnessError, NeverReady, UsageError
from harness.history.history import History
from harness.history.records import Event, Operation, PhaseName, Status
from harness.runner import Run, RunResult
from harness.scenario.model import Scenario, World

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


def test_a_start_that_fails_is_a_target_that_is_not_steady(
    scripts: Any, driver: FakeDriver, short: Short, play: Play
) -> None:
    """What the target said is the reason; everything is torn down; no run phase ever began."""
    driver.script["start"] = scripts.raising(NeverReady("the port is taken"))

    result = play(short())

    assert (result.verdict.outcome, result.verdict.reason) == (Outcome.UNSTEADY, "the port is taken")
    assert driver.order == ["start", *scripts.torn_down]
    assert result.history.phase(PhaseName.RUN) is None


def test_a_start_that_hangs_is_broken_off(
    scripts: Any, driver: FakeDriver, short: Short, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner itself holds ``limits.setup``, whatever the target does."""
    monkeypatch.setattr("harness.runner.START_GRACE", 0.1)
    driver.script["start"] = scripts.hang

    result = play(short(limits={"setup": "200ms"}))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert result.verdict.reason == "the start was not over after 0.2 s (limits.setup) and was broken off"
    assert driver.order == ["start", *scripts.torn_down]


def test_a_probe_that_hangs_holds_up_nothing(scripts: Any, driver: FakeDriver, short: Short, play: Play) -> None:
    """An expectation before the run fails in its own time; the event tells why nothing was seen."""
    driver.script["probe"] = scripts.hang

    result = play(short(steady=[{"within": "300ms", "expect": {"backlog": 0}}]))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert "last seen: no backlog" in result.verdict.reason
    assert "probe-problem" in [e.name for e in result.history.of(Event)]


def test_a_driver_that_raises_in_a_call_is_evidence_not_an_end(
    scripts: Any, driver: FakeDriver, short: Short, play: Play
) -> None:
    """The call is recorded as unknown, and the run goes on."""
    driver.script["call"] = scripts.raising(RuntimeError("broken driver"))

    result = play(short(thresholds={"jobs.unknowns": ["ratio < 1%"]}))

    assert [op.status for op in result.history.of(Operation)] == [Status.INFO] * 5
    assert result.verdict.outcome is Outcome.FAIL


def test_a_workload_that_cannot_be_played_is_an_error_of_the_harness(
    scripts: Any, driver: FakeDriver, short: Short, play: Play
) -> None:
    """Arguments that cannot be made end the run in one sentence; the target is torn down all the same."""
    workload = [{"id": "jobs", "op": "job.submit", "with": {"handler": "x*"}, "rate": "20/s", "for": "1s"}]

    result = play(short(workload=workload))

    assert result.verdict.outcome is Outcome.ERROR
    assert "x*" in result.verdict.reason
    assert driver.order == ["start", *scripts.torn_down]


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


LONG = [{"id": "jobs", "op": "job.submit", "with": {"handler": "h1"}, "rate": "50/s", "for": "1min"}]


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A history file on a disk that is full: it can be opened, and not be written."""
    path = tmp_path / "history.jsonl"
    path.symlink_to("/dev/full")
    return path


async def _soon(run: Run) -> RunResult:
    return await asyncio.wait_for(run.run(), 20.0)


def test_a_history_that_cannot_be_written_ends_the_run(
    scripts: Any, driver: FakeDriver, short: Short, tmp_path: Path, full: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Long before its load of a minute is over, in good order; since it can be written in the end, nothing is lost."""
    scenario = short(workload=LONG, limits={"run": "2min", "settle": "1min", "teardown": "3s"})

    result = asyncio.run(_soon(Run(scenario, driver, 1, tmp_path, history_path=full)))

    assert result.verdict.outcome is Outcome.ERROR
    assert result.verdict.reason == (
        "the history could not be written while the run went on: [Errno 28] No space left on device; "
        "make room there, or choose another disk with --report DIR; the run was ended, healed and torn down"
    )
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"cannot write the history to {full}: [Errno 28] No space left on device; "
        "it is kept in memory, and written at its end if it can be by then",
        "the run is ended: what it would record from here on might be lost",
    ]
    assert driver.order == ["start", *scripts.torn_down]
    assert History.read(full).phase(PhaseName.RUN) == result.history.phase(PhaseName.RUN)


def test_a_disk_that_stays_full_is_told_when_all_is_torn_down(
    scripts: Any, driver: FakeDriver, short: Short, tmp_path: Path, full: Path
) -> None:
    """There is no place for a verdict; the error says what could not be written, and that nothing was left running."""
    full.with_name("history.jsonl.part").mkdir()  # nor can the whole of it be written at the end
    scenario = short(workload=LONG, limits={"run": "2min", "settle": "1min", "teardown": "3s"})

    with pytest.raises(HarnessError, match=r"cannot write the history to .*; the run was ended, healed and torn down$"):
        asyncio.run(_soon(Run(scenario, driver, 1, tmp_path, history_path=full)))

    assert driver.order == ["start", *scripts.torn_down]
