"""Each step of a teardown may fail or hang: all the others are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.verdict import Outcome
from harness.runner import RunResult
from harness.scenario.model import Scenario

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

Play = Callable[[Scenario], RunResult]
Short = Callable[..., Scenario]


@pytest.mark.parametrize("step", ["collect", "stop term", "collect files", "audit", "close"])
def test_each_step_of_the_teardown_may_raise(
    scripts: Any, driver: FakeDriver, short: Short, play: Play, step: str
) -> None:
    """All the others are done, the history tells what failed, and such a run is no pass."""
    driver.script[step] = scripts.raising(OSError(5, "Input/output error"))

    result = play(short(checks={"always": [{"registered-handlers": {"count": 1}}]}))

    name = "stop" if step == "stop term" else step
    assert driver.order == ["start", *scripts.torn_down]
    assert scripts.problems(result) == {name: "OSError: [Errno 5] Input/output error"}
    assert result.verdict.outcome is Outcome.ERROR
    assert result.verdict.reason == f"the teardown went wrong: {name}: OSError: [Errno 5] Input/output error"


@pytest.mark.parametrize("step", ["collect", "collect files", "audit", "close"])
def test_each_step_of_the_teardown_may_hang(
    scripts: Any, driver: FakeDriver, short: Short, play: Play, step: str
) -> None:
    """It is cut at the limit, and all the others are done."""
    driver.script[step] = scripts.hang

    result = play(short(limits={"teardown": "200ms"}, checks={"always": [{"registered-handlers": {"count": 1}}]}))

    assert driver.order == ["start", *scripts.torn_down]
    assert scripts.problems(result) == {step: "not done after 0.2 s"}
    assert result.verdict.outcome is Outcome.ERROR


def test_a_stop_that_hangs_is_given_time_for_force_and_then_left(
    scripts: Any, driver: FakeDriver, short: Short, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit and the close come all the same: the close kills what is left."""
    monkeypatch.setattr("harness.teardown.FORCE", 0.1)
    driver.script["stop term"] = scripts.hang

    result = play(short(limits={"teardown": "200ms"}))

    assert driver.order == ["start", *scripts.torn_down]
    assert scripts.problems(result) == {"stop": "not done after 0.3 s"}
