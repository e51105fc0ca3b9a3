"""One run from set-up to verdict, on a target made of plain objects: what it is judged to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Event, Phase, PhaseName, Status
from harness.runner import Run, RunResult, planned_length
from harness.scenario.model import Scenario
from harness.targets.base import Reply

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


def test_a_run_in_which_all_holds_passes(scripts: Any, driver: FakeDriver, short: Short, play: Play) -> None:
    """Set-up, load, settle, teardown in this order; five jobs were judged; time 0 is the begin of the run
    phase.
    """
    result = play(short())

    assert (result.verdict.outcome, result.error) == (Outcome.PASS, None)
    assert [op.status for op in result.history.operations("jobs")] == [Status.OK] * 5
    assert driver.order == ["start", *scripts.torn_down]
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


def test_refused_calls_are_told_in_the_verdicts_sentence(driver: FakeDriver, short: Short, play: Play) -> None:
    """Whoever reads `all checks passed` reads beside it how much of the load was refused; of most, it is no pass."""
    answers = [Reply(Status.FAIL, error="503 full")] * 2 + [Reply(Status.OK, ref="j")] * 3

    async def some() -> Reply:
        return answers.pop()

    driver.script["call"] = some
    few = play(short(checks={"always": [], "finally": ["no-orphan-process"]})).verdict
    answers += [Reply(Status.FAIL, error="503 full")] * 3 + [Reply(Status.OK, ref="j")] * 2
    most = play(short(checks={"always": [], "finally": ["no-orphan-process"]})).verdict

    assert (few.outcome, few.reason) == (Outcome.PASS, "all 1 check passed; 2 of 5 calls failed")
    assert most.outcome is Outcome.UNKNOWN
    assert most.reason.startswith("1 of 2 checks proved nothing: load-answered: 3 of 5 calls of jobs failed")
    assert most.reason.endswith("; 3 of 5 calls failed")


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


def test_a_target_that_is_never_steady_is_not_judged(
    scripts: Any, driver: FakeDriver, short: Short, play: Play
) -> None:
    """Exit 4 says what was waited for and what was seen; no call was made."""
    result = play(short(steady=[{"within": "200ms", "expect": {"registered-handlers": 3}}]))

    assert result.verdict.outcome is Outcome.UNSTEADY
    assert result.verdict.reason == "waited 0.2 s for registered-handlers 3; last seen: registered-handlers 1"
    assert "call" not in driver.told
    assert driver.order == ["start", *scripts.torn_down]


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


@pytest.mark.parametrize(
    ("sections", "seconds"),
    [
        ({}, 0.05),
        ({"limits": {"run": "20ms"}}, 0.02),
        ({"workload": [{"id": "x", "op": "job.submit", "model": "once", "count": 3}]}, 5.0),
        ({"kind": "regression", "workload": [], "when": [{"advance": "2s"}, {"advance": "1s"}]}, 3.0),
    ],
)
def test_the_length_that_faults_are_planned_for(short: Short, sections: dict[str, Any], seconds: float) -> None:
    """The longest workload or all steps, never more than the limit, which stands in where nothing tells."""
    assert planned_length(short(**sections)) == seconds


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((), "all 2 checks passed; the mutant m was never met: none of the code that it breaks was run"),
        (("mutant-met",), "all 2 checks passed"),
    ],
)
def test_a_pass_of_a_mutant_that_was_never_met_says_so(
    driver: FakeDriver, short: Short, tmp_path: Path, events: tuple[str, ...], reason: str
) -> None:
    """Such a run shows nothing of what the checks can see."""

    async def collect() -> list[Event]:
        return [Event(at=0.1, name=name, place="m") for name in events]

    driver.script["collect"] = collect

    result = asyncio.run(Run(short(), driver, 1, tmp_path, mutant="m").run())

    assert (result.verdict.outcome, result.verdict.reason) == (Outcome.PASS, reason)
