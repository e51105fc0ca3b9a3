"""Rules that stop a run early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import abort
from harness.errors import UsageError
from harness.history.recorder import Recorder
from harness.history.records import Operation, Status
from harness.scenario.model import Scenario
from harness.sim import World

pytestmark = pytest.mark.unit

Short = Callable[..., Scenario]


def test_a_rule_trips_only_after_its_patience_on_end() -> None:
    """Held 2 s, gone for a moment, held again: the patience of 3 s begins anew."""
    holds = {0.0: True, 2.0: True, 2.5: False, 3.0: True, 5.9: True, 6.0: True}
    looks = iter(holds.values())
    rule = abort.Rule("busy", lambda: next(looks), patience=3.0)

    tripped = [rule.tripped(now) for now in holds]

    assert tripped == [False, False, False, False, False, True]


def test_a_rule_without_patience_trips_at_once() -> None:
    """The first look decides."""
    assert abort.Rule("full", lambda: True, patience=0.0).tripped(0.0)


@pytest.mark.parametrize(
    ("text", "trips"), [("> 1kB", True), ("< 1kB", False), ("< 900000GB", True), ("> 1MB for 1h", False)]
)
def test_free_disk_is_measured_in_bytes_where_the_run_lies(
    short: Short, tmp_path: Path, text: str, trips: bool
) -> None:
    """Sizes are decimal; `for` adds patience."""
    (rule,) = abort.rules(short(abort_if=[{"free-disk": text}]), Recorder(), tmp_path)

    assert rule.tripped(0.0) is trips


def test_the_harness_s_own_load_is_a_share_of_one_processor(short: Short, tmp_path: Path) -> None:
    """A loop that does nothing but work uses more than 1 % of one, however busy the machine; none uses 90 times one."""
    bounds = [{"harness-cpu": "> 1%"}, {"harness-cpu": "> 9000%"}]
    rule, never = abort.rules(short(abort_if=bounds), Recorder(), tmp_path)
    begin = time.process_time()
    while time.process_time() - begin < 0.3:
        pass

    assert rule.tripped(0.0)
    assert not never.tripped(0.0)


@pytest.mark.parametrize(
    "rule", [{"free-memory": "< 1GB"}, {"free-disk": "nearly none"}, {"harness-cpu": "> lots"}]
)
def test_a_rule_that_cannot_be_read_is_a_mistake_of_the_caller(
    short: Short, tmp_path: Path, rule: dict[str, str]
) -> None:
    """The message tells what is expected and what was found."""
    with pytest.raises(UsageError, match=r"abort_if: expected harness-cpu or free-disk .*, found"):
        abort.rules(short(abort_if=[rule]), Recorder(), tmp_path)


def _call(number: int, status: Status) -> Operation:
    at = number / 10
    return Operation(
        at=at,
        id=number,
        workload="jobs",
        op="job.submit",
        place="h1",
        intended=at,
        start=at,
        end=at,
        status=status,
        ref=str(number),
    )


@pytest.mark.parametrize(("failed", "trips"), [(3, False), (5, False), (6, True)])
def test_a_threshold_with_abort_counts_from_its_least_samples_on(
    short: Short, tmp_path: Path, failed: int, trips: bool
) -> None:
    """Half of ten may fail; with nine samples nothing is decided."""
    thresholds: dict[str, Any] = {
        "jobs.errors": [{"expr": "ratio <= 50%", "abort": {"after": "0s"}, "min_samples": 10}]
    }
    recorder = Recorder()
    recorder.begin_run()
    (rule,) = abort.rules(short(thresholds=thresholds), recorder, tmp_path)

    for number in range(9):
        recorder.append(_call(number, Status.FAIL if number < failed else Status.OK))
    too_few = rule.tripped(0.0)
    recorder.append(_call(9, Status.OK))

    assert (too_few, rule.tripped(0.0)) == (False, trips)


def test_a_threshold_without_abort_is_no_rule(short: Short, tmp_path: Path) -> None:
    """It is judged at the end."""
    assert abort.rules(short(thresholds={"jobs.errors": ["ratio < 1%"]}), Recorder(), tmp_path) == []


def test_watching_tells_the_first_rule_that_trips() -> None:
    """The text is that of the rule; while none trips it waits."""
    looks = iter([False, False, True])
    rules = [abort.Rule("never", lambda: False, 0.0), abort.Rule("third look", lambda: next(looks), 0.0)]

    assert asyncio.run(asyncio.wait_for(abort.watch(rules, interval=0.01), 5.0)) == "third look"
    with pytest.raises(TimeoutError):
        asyncio.run(
            asyncio.wait_for(abort.watch([abort.Rule("never", lambda: False, 0.0)], interval=0.01), 0.1)
        )


def test_no_rules_are_watched_at_no_cost() -> None:
    """A month without rules is not looked at second by second."""
    with World(seed=1) as world:
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(abort.watch([]), 30 * 86_400.0))
        assert world.elapsed == 30 * 86_400.0
        assert len(world.trace) < 1_000
