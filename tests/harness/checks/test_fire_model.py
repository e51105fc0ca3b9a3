"""``fires-as-modelled``: what it demands of a schedule, what it excuses, and what it never lets pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.checks.verdict import CheckResult, Outcome
from harness.history.records import AnyRecord, Event, Execution, Fault, FaultEvent, Job

pytestmark = pytest.mark.unit

Result = Callable[..., CheckResult]
ZERO = 1_767_225_600_000_000
"""The wall clock at scenario time 0, in µs."""
CHECK = {"fires-as-modelled": {"within": 0.5}}


def event(name: str, at: float, place: str = "scheduler", took: float = 0.01, **detail: Any) -> Event:
    """Something that was done, over at `at`."""
    return Event(at=at, name=name, place=place, detail={"took": took, "wall": ZERO + round(at * 1e6), **detail})


def up(at: float = -1.0, **detail: Any) -> Event:
    """The scheduler works."""
    return event("scheduler-up", at, **detail)


def down(at: float, how: str = "stop", **detail: Any) -> Event:
    """The scheduler ended."""
    return event("scheduler-down", at, how=how, durable=detail.pop("durable", True), **detail)


def added(every: float = 1.0, at: float = 0.02, **more: Any) -> Event:
    """Schedule s, from 0 on."""
    trigger = {"kind": "interval", "every": round(every * 1e6), "start": ZERO, "end": None}
    detail = {"sure": True, "coalesce": "latest", "misfire_grace": None, "jitter": 0, "max_running": 1, **more}
    return event("schedule-added", at, "s", trigger=trigger, **detail)


def job(due: float, late: float = 0.01, name: str = "", **more: Any) -> Job:
    """A job of schedule s for the time `due`, begun `late` seconds after it."""
    start = due + late
    told: dict[str, Any] = {"started": start, "ended": start + 0.1, "outcome": "success", "attempts": 1, **more}
    return Job(
        at=start + 0.1, job_id=name or f"j{due:g}", handler="s", method="", schedule_id="s", scheduled_for=due, **told
    )


def all_but(*left: float, until: int = 10, **more: Any) -> list[AnyRecord]:
    """A job for every second from 0 on, but for these."""
    return [job(float(at), **more) for at in range(until + 1) if at not in left]


def paused(at: float) -> Event:
    """Schedule s was paused."""
    return event("schedule-paused", at, "s", sure=True)


def resumed(at: float, skip: bool = False) -> Event:
    """Schedule s goes on."""
    return event("schedule-resumed", at, "s", sure=True, skip=skip)


def said(found: CheckResult) -> str:
    """All evidence as one text."""
    return "\n".join(evidence.text for evidence in found.evidence)


def test_a_schedule_that_fires_for_each_of_its_times_passes(result: Result) -> None:
    """Once for each, in time."""
    found = result(CHECK, up(), added(), all_but(), down(10.7))

    assert found.outcome is Outcome.PASS, said(found)
    assert found.summary == "1 schedule fired 11 times, as the model says (11 of them had to)"


@pytest.mark.parametrize(
    ("records", "evidence"),
    [
        (all_but(4.0), "has no job for 4.000 s, when it was not paused and its scheduler was up"),
        ([*all_but(), job(4.0, name="again")], "has 2 jobs for 4.000 s, expected 1: again, j4"),
        ([*all_but(), job(4.4)], "has a job for 4.400 s, which is none of its times"),
        ([*all_but(4.0), job(4.0, late=0.9)], "began the job for 4.000 s at 4.900 s, 900 ms late"),
        ([*all_but(4.0), job(4.0, late=-0.2)], "began the job for 4.000 s at 3.800 s, 200 ms before its time"),
        (
            [*all_but(4.0), job(4.0, outcome="missed_start_deadline", started=None)],
            "dropped the job for 4.000 s as too late, although there was time for it",
        ),
    ],
)
def test_each_way_to_go_wrong_fails_with_its_evidence(
    result: Result, records: list[AnyRecord], evidence: str
) -> None:
    """Missing, double, extra, late, early, wrongly dropped."""
    found = result(CHECK, up(), added(), records, down(10.7))

    assert found.outcome is Outcome.FAIL
    assert f"schedule s (interval, coalesce latest) {evidence}" in said(found)


def test_a_late_start_is_excused_while_its_task_may_not_run_twice(result: Result) -> None:
    """The run before it took until 4.8 s."""
    busy = Execution(at=4.8, handler="s", request_id="j3", method="", start=3.01, end=4.8, outcome="ok")

    assert result(CHECK, up(), added(), all_but(4.0), job(4.0, late=0.9), busy, down(10.7)).outcome is Outcome.PASS


def test_more_runs_at_once_than_may_be_fail(result: Result) -> None:
    """One at a time may run; the second began before the first had ended, and a run without an end is left out."""
    runs = [
        Execution(at=end or start, handler="h", request_id=name, method="", start=start, end=end, outcome="ok")
        for name, start, end in (("j3", 3.01, 4.5), ("j4", 4.02, 4.6), ("j5", 5.01, None), ("j6", 6.01, 6.1))
    ]

    found = result(CHECK, up(), added(), all_but(), runs, down(10.7))

    assert found.outcome is Outcome.FAIL
    assert "has 2 jobs that run at once at 4.020 s, expected 1 at most" in said(found)
    assert "6.010" not in said(found)


def test_a_job_begun_after_its_grace_fails_however_busy_the_scheduler_was(result: Result) -> None:
    """It had to be dropped."""
    busy = Execution(at=4.8, handler="s", request_id="j3", method="", start=3.01, end=4.8, outcome="ok")
    records = [*all_but(4.0), job(4.0, late=0.9), busy]

    found = result(CHECK, up(), added(misfire_grace=700_000), records, down(10.7))

    assert "900 ms late, although its grace is 700 ms" in said(found)


def test_what_a_pause_swallows_is_made_up_for_as_the_policy_says(result: Result) -> None:
    """Paused from 2.5 to 6.3 s: only the latest of 3, 4, 5, 6 is fired."""
    records = [up(), added(), paused(2.5), resumed(6.3), down(10.7)]

    made_up = job(6.0, late=0.32)
    assert result(CHECK, *records, made_up, all_but(3.0, 4.0, 5.0, 6.0)).outcome is Outcome.PASS
    found = result(CHECK, *records, made_up, all_but(3.0, 4.0, 6.0))
    assert "a job for 5.000 s, which must not be: it became due together with others" in said(found)
    assert "has no job for 6.000 s" in said(result(CHECK, *records, all_but(3.0, 4.0, 5.0, 6.0)))


def test_times_that_a_resumption_skips_must_not_be_fired(result: Result) -> None:
    """Nor are they missed."""
    records = [up(), added(coalesce="all"), paused(2.5), resumed(6.5, skip=True), down(10.7)]

    assert result(CHECK, *records, all_but(3.0, 4.0, 5.0, 6.0)).outcome is Outcome.PASS
    found = result(CHECK, *records, all_but(3.0, 4.0, 5.0))
    assert "a job for 6.000 s, which is none of its times" in said(found)


def test_after_a_restart_what_was_missed_is_run_or_too_late(result: Result) -> None:
    """Down from 2.5 to 6.2 s with a grace of 1.9 s: 3 and 4 are dropped, 5 and 6 run."""
    dropped = [job(at, late=6.3 - at, outcome="missed_start_deadline", started=None) for at in (3.0, 4.0)]
    run = [job(at, late=6.3 - at) for at in (5.0, 6.0)]
    policy = added(coalesce="all", misfire_grace=1_900_000, max_running=9)
    records = [up(), policy, down(2.5), up(6.2), down(10.7), all_but(3.0, 4.0, 5.0, 6.0)]

    assert result(CHECK, *records, dropped, run).outcome is Outcome.PASS
    found = result(CHECK, *records, job(3.0, late=3.3), dropped[1], run)
    assert "3.3 s late, although its grace is 1.9 s" in said(found)


def test_a_crash_excuses_nothing(result: Result) -> None:
    """What is due after it is owed, and the summary names it."""
    crashed = down(4.5, "crash", error="KeyError: s")
    found = result(CHECK, up(), added(), all_but(5.0, 6.0, 7.0, 8.0, 9.0, 10.0), crashed)

    assert found.outcome is Outcome.FAIL
    assert "the scheduler crashed: KeyError: s at 4.500 s" in found.summary


def test_a_kill_may_repeat_what_was_under_way_and_nothing_else(result: Result) -> None:
    """Two jobs for the time of the kill are the price of a crash; two for another are not."""
    killed = [up(), added(coalesce="all"), down(4.2, "kill"), up(4.4), down(10.7)]

    assert result(CHECK, *killed, all_but(), job(4.0, name="again", late=0.5)).outcome is Outcome.PASS
    assert result(CHECK, *killed, all_but(), job(8.0, name="again")).outcome is Outcome.FAIL


def test_a_store_that_is_no_more_owes_nothing(result: Result) -> None:
    """A memory store forgets its schedules with the process."""
    records = [up(), added(), down(4.5, "kill", durable=False), up(5.0), down(10.7)]

    assert result(CHECK, *records, all_but(5.0, 6.0, 7.0, 8.0, 9.0, 10.0)).outcome is Outcome.PASS
    found = result(CHECK, *records, all_but(5.0, 6.0, 8.0, 9.0, 10.0))
    assert "has a job for 7.000 s, which must not be" in said(found)


def test_a_fault_at_the_scheduler_makes_times_optional(result: Result) -> None:
    """While it lasts; afterwards they are owed again."""
    fault = [
        Fault(at=at, id="hang", kind="process.pause", event=what, place="scheduler")
        for at, what in ((3.5, FaultEvent.INJECTED), (5.5, FaultEvent.HEALED))
    ]
    records = [up(), added(), fault, down(10.7)]

    assert result(CHECK, *records, all_but(4.0, 5.0)).outcome is Outcome.PASS
    assert "has no job for 8.000 s" in said(result(CHECK, *records, all_but(8.0)))


def test_an_unanswered_removal_makes_the_rest_optional(result: Result) -> None:
    """It may have taken effect."""
    removed = event("schedule-removed", 4.5, "s", sure=False)

    for missing in ((), (5.0, 6.0, 7.0, 8.0, 9.0, 10.0)):
        assert result(CHECK, up(), added(), removed, all_but(*missing), down(10.7)).outcome is Outcome.PASS


def test_without_schedules_or_with_a_clock_that_was_set_it_proves_nothing(result: Result) -> None:
    """Unknown, with the reason."""
    assert result(CHECK, up()).outcome is Outcome.UNKNOWN
    set_back = Event(at=5.0, name="scheduler-up", place="scheduler", detail={"took": 0.0, "wall": ZERO})
    found = result(CHECK, up(), added(), all_but(), set_back)
    assert (found.outcome, "the wall clock was set" in found.summary) == (Outcome.UNKNOWN, True)


def held(start: float, end: float | None, job: str = "of another") -> Execution:
    """A run of some job, which takes a slot of the scheduler."""
    return Execution(
        at=start if end is None else end, handler="t", request_id=job, method="", start=start, end=end,
        outcome="" if end is None else "ok",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "runs", "outcome"),
    [
        (1, [held(3.9, 4.8)], Outcome.PASS),
        (2, [held(3.9, 4.8)], Outcome.FAIL),
        (2, [held(3.9, 4.8), held(3.5, 4.5, "a third")], Outcome.PASS),
        (2, [held(3.9, 4.8), held(3.5, 3.9, "a third")], Outcome.FAIL),
        (1, [held(2.0, 3.0)], Outcome.FAIL),
        (None, [held(3.9, 4.8)], Outcome.FAIL),
    ],
)
@pytest.mark.parametrize(
    "held_up", [job(4.0, late=0.9), job(4.0, outcome="missed_start_deadline", started=None, ended=4.9)]
)
def test_a_job_waits_for_a_slot_of_its_scheduler(
    result: Result, held_up: Job, limit: int | None, runs: list[Execution], outcome: Outcome
) -> None:
    """While as many jobs run as the scheduler said that it runs at once, another may be late, or too late. Not while
    there are fewer, and not where it never said a number.
    """
    told = {} if limit is None else {"max_jobs": limit}

    found = result(CHECK, up(**told), added(), all_but(4.0), held_up, runs, down(10.7))

    assert found.outcome is outcome, said(found)


def test_a_run_that_a_kill_cut_off_holds_no_slot_of_the_next_life(result: Result) -> None:
    """It was never seen to end; the scheduler that is started then has all of its slots."""
    cut = held(1.5, None)
    again = up(2.5, max_jobs=1)
    late = job(6.0, late=0.9)

    found = result(
        CHECK, up(max_jobs=1), added(coalesce="all"), all_but(6.0), late, cut, down(1.9, "kill"), again, down(10.7)
    )

    assert found.outcome is Outcome.FAIL
    assert "began the job for 6.000 s at 6.900 s, 900 ms late" in said(found)
