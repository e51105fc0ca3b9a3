"""Schedules that fire as their interval says. The schedule of the workload ``cron`` fires every 5 s."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Job, Operation

CHECK = "fires-on-schedule"
ON_TIME = tuple(float(at) for at in range(1, 60, 5))
"""All twelve times of a schedule that was accepted at 1 s, in a run of 60 s."""


@pytest.fixture
def added(write: Any) -> Operation:
    """The schedule s1, accepted at 1 s."""
    operation = write.op(1, "s1", workload="cron", op="schedule.add")
    assert isinstance(operation, Operation)
    return operation


def jobs(write: Any, times: Any, schedule: str = "s1") -> list[Job]:
    """One job of the schedule for each of the times."""
    return [write.job(f"j{n}", schedule_id=schedule, scheduled_for=at) for n, at in enumerate(times)]


@pytest.mark.parametrize("section", ["always", "finally", "then"])
def test_a_schedule_that_fires_at_each_of_its_times_passes(
    result: Any, write: Any, added: Operation, section: str
) -> None:
    """The first time may be just before the answer arrived; what is due after the run does not count."""
    found = result(CHECK, added, jobs(write, [0.99, *ON_TIME[1:], 61.0, 61.0]), section=section)

    assert (found.outcome, found.samples) == (Outcome.PASS, 12)
    assert found.summary == "1 schedule fired 12 times, all on schedule"


def test_two_jobs_for_one_time_fail(result: Any, write: Any, added: Operation) -> None:
    """The evidence names both; the same job listed twice is one."""
    twice = Job(at=70.0, job_id="again", handler="h2", method="work", schedule_id="s1", scheduled_for=11.0)

    assert result(CHECK, added, jobs(write, ON_TIME), jobs(write, ON_TIME)).outcome is Outcome.PASS
    found = result(CHECK, added, jobs(write, ON_TIME), twice)
    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 of 1 schedule did not fire on schedule"
    assert [(item.at, item.text) for item in found.evidence] == [
        (
            11.0,
            "schedule s1 (workload cron, every 5 s, accepted at 1.000 s) has 2 jobs for 11.000 s, "
            "expected 1: again, j2",
        )
    ]


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ((*ON_TIME[:3], *ON_TIME[4:]), "fired for 11.000 s and next for 21.000 s, 10 s later, expected 5 s"),
        ((*ON_TIME, 58.5), "fired for 56.000 s and next for 58.500 s, 2.5 s later, expected 5 s"),
        ((*ON_TIME[:-1], 56.06), "fired for 51.000 s and next for 56.060 s, 5.06 s later, expected 5 s"),
    ],
)
def test_a_gap_that_is_not_the_interval_fails(
    result: Any, write: Any, added: Operation, times: Any, text: str
) -> None:
    """Too long, too short, or off by more than one per cent."""
    found = result(CHECK, added, jobs(write, times))

    assert found.outcome is Outcome.FAIL
    assert [item.text for item in found.evidence] == [
        f"schedule s1 (workload cron, every 5 s, accepted at 1.000 s) {text}"
    ]


def test_a_gap_within_the_tolerance_passes(result: Any, write: Any, added: Operation) -> None:
    """A millisecond besides one per cent."""
    assert result(CHECK, added, jobs(write, (*ON_TIME[:-1], 56.05))).outcome is Outcome.PASS


def test_a_schedule_that_stops_firing_fails(result: Any, write: Any, added: Operation) -> None:
    """Ten of the eleven intervals in the rest of the run are demanded, and the last firing is named."""
    assert result(CHECK, added, jobs(write, ON_TIME[:10])).outcome is Outcome.PASS

    found = result(CHECK, added, jobs(write, ON_TIME[:3]))
    assert found.outcome is Outcome.FAIL
    assert [(item.at, item.text) for item in found.evidence] == [
        (
            11.0,
            "schedule s1 (workload cron, every 5 s, accepted at 1.000 s) fired 3 times by 60.000 s, "
            "for the last time for 11.000 s; expected at least 10",
        )
    ]


def test_a_schedule_that_never_fired_fails(result: Any, write: Any, added: Operation) -> None:
    """A scheduler that forgets it is not excused by having nothing to show."""
    found = result(CHECK, added)

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "schedule s1 (workload cron, every 5 s, accepted at 1.000 s) fired 0 times by 60.000 s; "
        "expected at least 10"
    )


@pytest.mark.parametrize("place", ["scheduler", "scheduler.req", "governor", "store"])
def test_a_fault_at_the_scheduler_allows_gaps_but_no_second_job(
    result: Any, write: Any, added: Operation, place: str
) -> None:
    """What was due while the scheduler was down is coalesced; it is not made up for twice."""
    fault = write.fault("crash", 12.0, 18.0, place=place)
    gap = [*ON_TIME[:3], *ON_TIME[6:]]

    assert result(CHECK, added, jobs(write, gap)).outcome is Outcome.FAIL
    assert result(CHECK, added, jobs(write, gap), fault).outcome is Outcome.PASS
    assert result(CHECK, added, jobs(write, [*gap, 36.0]), fault).outcome is Outcome.FAIL
    assert result(CHECK, added, jobs(write, [*gap[:5], *gap[6:]]), fault).outcome is Outcome.FAIL


def test_a_fault_at_a_handler_allows_no_gap(result: Any, write: Any, added: Operation) -> None:
    """Its jobs are made all the same, and wait; the fault is named."""
    found = result(CHECK, added, jobs(write, [*ON_TIME[:3], *ON_TIME[5:]]), write.fault("crash", 12.0, 18.0))

    assert found.outcome is Outcome.FAIL
    assert "; meanwhile: crash (process.kill at h2) from 12.000 s to 18.000 s" in found.evidence[0].text


@pytest.mark.parametrize("op", ["schedule.pause", "schedule.remove"])
def test_a_steered_schedule_may_leave_gaps_but_not_fire_twice(
    result: Any, write: Any, added: Operation, op: str
) -> None:
    """Nobody can say when a paused or removed schedule should have fired."""
    steered = write.op(20, "s1", op=op)

    assert result(CHECK, added, steered, jobs(write, ON_TIME[:3])).outcome is Outcome.PASS
    assert result(CHECK, added, steered, jobs(write, [1.0, 1.0])).outcome is Outcome.FAIL


def test_a_schedule_added_twice_may_begin_anew(result: Any, write: Any, added: Operation) -> None:
    """The second call replaced it, so that its times are others."""
    again = write.op(28, "s1", workload="cron", op="schedule.add")
    times = [1.0, 6.0, 28.0, 33.0]

    assert result(CHECK, added, again, jobs(write, times)).outcome is Outcome.PASS
    assert result(CHECK, added, again, jobs(write, [*times, 33.0])).outcome is Outcome.FAIL


def test_without_a_schedule_with_an_interval_nothing_is_known(
    result: Any, write: Any, added: Operation
) -> None:
    """Cron schedules, schedules of others and refused ones have no interval to compare with."""
    cron = {"id": "other", "op": "schedule.add", "model": "once", "count": 1, "with": {"cron": {"second": "1"}}}
    other = write.op(1, "s2", workload="other", op="schedule.add")

    assert result(CHECK).outcome is Outcome.UNKNOWN
    found = result(CHECK, other, jobs(write, [1.0, 1.0], "s2"), workload=[cron])
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "no schedule with `every` was accepted, so nothing was proven"


def test_a_schedule_that_had_no_time_to_fire_is_unknown(result: Any, write: Any) -> None:
    """Accepted five seconds before the end."""
    found = result(CHECK, write.op(55, "s1", workload="cron", op="schedule.add"))

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "no schedule was due in the run phase, so nothing was proven"


def test_a_log_that_could_not_be_read_is_unknown(result: Any, write: Any, added: Operation) -> None:
    """What was not collected proves no gap; two jobs for one time are still two."""
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")

    found = result(CHECK, blind, added, jobs(write, ON_TIME[:2]))
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "the harness failed to collect files: TimeoutError"
    assert result(CHECK, blind, added, jobs(write, [1.0, 1.0])).outcome is Outcome.FAIL
