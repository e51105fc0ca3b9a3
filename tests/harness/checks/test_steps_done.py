"""Steps of life cycles that did not do what they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.checks.judge import judge
from harness.checks.verdict import Outcome
from harness.history.history import History
from harness.history.records import Header, Status
from harness.scenario.model import Scenario


def test_steps_that_succeeded_pass(result: Any, write: Any) -> None:
    """Every step that was played counts as a sample."""
    found = result("steps-done", write.step(1, "start"), write.step(1, "stop", how="term", code=0))

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)


def test_stops_where_nothing_runs_prove_nothing(result: Any, write: Any) -> None:
    """A cycle that starts nothing did what it says, and shows nothing; beside other steps such a stop is told."""
    idle = [write.step(cycle, "stop", how="term", code=None, idle=True) for cycle in (1, 2)]

    alone = result("steps-done", *idle, write.step(2, "wait", until="gone"))
    with_others = result("steps-done", write.step(1, "start"), *idle)

    assert (alone.outcome, alone.summary) == (
        Outcome.UNKNOWN,
        "no step did anything; where 2 stops came nothing ran, so nothing was proven",
    )
    assert (with_others.outcome, with_others.summary) == (
        Outcome.PASS,
        "3 steps did what they should; where 2 stops came nothing ran",
    )
    assert result("stopped-cleanly", *idle, section="finally").outcome is Outcome.UNKNOWN


def test_a_failed_step_is_told_with_its_cycle_handler_and_reason(result: Any, write: Any) -> None:
    """What the target said of it stands in the evidence."""
    found = result(
        "steps-done", write.step(2, "add", status=Status.FAIL, handler="h2", error="no free port", took=1.5)
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 of 1 step failed"
    assert found.evidence[0].text == "cycle 2: add h2 at 20.000 s came to fail after 1.5 s: no free port"


def test_cycles_are_judged_by_their_steps_though_nobody_asked(
    scenario: Callable[..., Scenario], write: Any
) -> None:
    """A step that failed ends its cycle, so a scenario of cycles that does not name the check is judged by it
    all the same.
    """
    demanded = scenario(
        kind="cycles",
        workload=[],
        cycles={"count": 1, "steps": ["start", "stop"]},
        checks={"finally": ["no-orphan-process"]},
    )

    results = judge(demanded, History(Header(), [write.step(1, "start", status=Status.FAIL, error="no")]))

    assert [(r.name, r.outcome) for r in results] == [
        ("no-orphan-process", Outcome.UNKNOWN),
        ("steps-done", Outcome.FAIL),
    ]
