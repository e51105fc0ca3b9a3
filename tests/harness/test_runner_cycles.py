"""Runs that play cycles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.verdict import Outcome
from harness.errors import NeverReady
from harness.history.records import Step
from harness.runner import RunResult
from harness.scenario.model import Scenario

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


def test_cycles_are_played_and_the_target_started_once_more(
    scripts: Any, driver: FakeDriver, short: Short, play: Play
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
    assert driver.order == ["start", "stop term", "audit"] * 2 + ["start", *scripts.torn_down]
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
