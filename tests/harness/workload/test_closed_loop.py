"""The closed model waits for each answer; the once model makes a number of calls."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from harness.errors import UsageError
from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Operation, Status
from harness.scenario.model import Given, OpStep
from harness.targets.base import Reply, Target
from harness.workload.driver import call_once
from harness.workload.payloads import Payloads

pytestmark = [pytest.mark.unit, pytest.mark.load]


def test_each_user_waits_for_its_answer(play: Callable[..., History], target: Any) -> None:
    """Two users, answers after 1 s, 5 s long: five calls each, never more than two at once."""
    operations = play({"model": "closed", "users": 2, "for": "5s"}, target(1.0)).of(Operation)

    assert sorted(round(o.start, 6) for o in operations) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    assert all(o.intended == o.start for o in operations)


def test_thinking_comes_between_calls(play: Callable[..., History], target: Any) -> None:
    """With half a second of thought after an answer of half a second, one user makes a call a second."""
    spec = {"model": "closed", "for": "3s", "think": "500ms"}
    operations = play(spec, target(0.5)).of(Operation)

    assert [round(o.start, 6) for o in operations] == [0.0, 1.0, 2.0]


def test_thinking_is_drawn_from_the_seed(play: Callable[..., History], target: Any) -> None:
    """A range of thought gives the same moments in two runs, and not all the same pause."""
    spec = {"model": "closed", "count": 10, "think": "100ms..900ms"}
    first, second = ([o.start for o in play(spec, target(0.0)).of(Operation)] for _ in range(2))

    assert first == second
    assert len({round(b - a, 5) for a, b in itertools.pairwise(first)}) == 9


def test_users_share_the_count(play: Callable[..., History], target: Any) -> None:
    """``count: 7`` is seven calls in all, however many users."""
    operations = play({"model": "closed", "users": 3, "count": 7}, target(1.0)).of(Operation)

    assert len(operations) == 7
    assert max(o.end for o in operations) == pytest.approx(3.0)


def test_once_makes_its_count_one_after_the_other(play: Callable[..., History], target: Any) -> None:
    """Four calls with answers after 0.25 s take one second; without `count` it is one call."""
    operations = play({"model": "once", "count": 4}, target(0.25)).of(Operation)

    assert [round(o.start, 6) for o in operations] == [0.0, 0.25, 0.5, 0.75]
    assert len(play({"model": "once"}, target(0.0)).of(Operation)) == 1


def test_stop_ends_the_users(play: Callable[..., History], target: Any) -> None:
    """Told to stop in the middle of a call and of a thought: both end, nothing is sent afterwards."""
    spec = {"model": "closed", "users": 2, "for": "60s", "think": "10s"}
    history = play(spec, target(1.0), stop_at=5.0)

    assert len(history.of(Operation)) == 2
    assert history.records[-1].at == pytest.approx(5.0)


def test_a_stuck_user_is_given_up_after_the_grace(play: Callable[..., History], target: Any) -> None:
    """A call that does not return keeps neither its user nor the run; it is recorded as info."""
    history = play({"model": "closed", "for": "60s"}, target(1e6), stop_at=2.0, grace=0.5)

    assert [(o.status, o.end) for o in history.of(Operation)] == [(Status.INFO, 2.5)]


def test_a_cancelled_call_does_not_take_its_user_along(play: Callable[..., History], target: Any) -> None:
    """The user goes on with the next call."""

    async def behave(number: int, args: Mapping[str, Any]) -> Reply:
        if number == 1:
            raise asyncio.CancelledError
        return Reply(Status.OK)

    operations = play({"model": "once", "count": 2}, target(behave=behave)).of(Operation)

    assert [o.status for o in operations] == [Status.INFO, Status.OK]


def test_wrong_arguments_end_the_workload_before_its_first_call(
    play: Callable[..., History], target: Any
) -> None:
    """A usage error is raised, not recorded call by call."""
    fake = target(0.0)

    with pytest.raises(UsageError, match="matches no handler"):
        play({"model": "once", "with": {"handler": "z*"}}, fake)
    assert fake.seen == []


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Given.model_validate({"op": "schedule.add", "id": "slow", "with": {"handler": "h1"}}), "slow"),
        (OpStep.model_validate({"op": "schedule.add", "with": {"handler": "h1"}}), "schedule.add"),
    ],
)
def test_one_step_is_one_operation(
    step: Given | OpStep,
    name: str,
    virtual: Callable[[Callable[[], Awaitable[Any]]], Any],
    streams: Any,
    target: Any,
) -> None:
    """`call_once` makes the call, records it under the step's name, and returns what it recorded."""

    async def main() -> tuple[Operation, History]:
        recorder = Recorder(clock=asyncio.get_running_loop().time)
        recorder.begin_run()
        payloads = Payloads(streams, ("h1",))
        return await call_once(step, cast(Target, target(0.5)), recorder, payloads=payloads), recorder.close()

    operation, history = virtual(main)

    assert history.of(Operation) == (operation,)
    assert (operation.workload, operation.place, operation.ref, operation.end) == (name, "h1", "job-1", 0.5)
