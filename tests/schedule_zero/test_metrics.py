"""What a server counts: right, bounded, and told in the words of Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedule_zero.execution_log import Attempt, ExecutionRecord, Outcome
from schedule_zero.metrics import MOST_HANDLERS, OTHERS, Metrics, Spread
from schedule_zero.service_events import EventKind, ServiceEvent

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(handler_id: str = "h", *, late: float = 0.2, durations: tuple[float, ...] = (0.03,)) -> ExecutionRecord:
    """An execution that began late by so many seconds, with attempts that took so long."""
    attempts = tuple(Attempt(number + 1, NOON, seconds) for number, seconds in enumerate(durations))
    started = NOON + timedelta(seconds=late)
    return ExecutionRecord(
        job_id="j", handler_id=handler_id, method="m", scheduled_for=NOON, started_at=started, attempts=attempts
    )


def test_a_duration_falls_into_the_class_whose_bound_it_does_not_exceed() -> None:
    """Bounds are inclusive, as Prometheus has them; classes are cumulated; nothing is lost above the last."""
    spread = Spread((0.1, 1.0))
    for seconds in (0.1, 0.1001, 1.0, 1.5):
        spread.add(seconds)
    assert spread.cumulated() == [("0.1", 1), ("1.0", 3), ("+Inf", 4)]
    assert (spread.count, round(spread.sum, 4)) == (4, 2.7001)


def test_a_clock_that_was_set_back_takes_nothing_off() -> None:
    """A negative duration counts as none, since a sum that shrinks would look like a restart."""
    spread = Spread((0.1,))
    spread.add(-5.0)
    assert (spread.cumulated(), spread.sum) == ([("0.1", 1), ("+Inf", 1)], 0.0)


def test_every_attempt_is_a_call_and_lateness_counts_from_when_it_was_due() -> None:
    """Three attempts are three calls; a job 0.2 s late is in the class up to 0.25 s."""
    metrics = Metrics()
    metrics.executed(record(durations=(0.03, 0.03, 7.0)))
    assert metrics.calls["h"].count == 3
    assert [count for bound, count in metrics.lateness.cumulated() if bound in ("0.1", "0.25")] == [0, 1]


def test_an_attempt_that_was_broken_off_has_no_duration() -> None:
    """Whatever its error says: nobody saw its end."""
    metrics = Metrics()
    attempts = (Attempt(1, NOON, 0.0, "in other words", broken_off=True), Attempt(2, NOON, 0.2))
    metrics.executed(ExecutionRecord(job_id="j", handler_id="h", method="m", attempts=attempts))
    assert (metrics.calls["h"].count, metrics.calls["h"].sum) == (1, 0.2)


def test_jobs_that_may_have_run_twice_are_counted_once() -> None:
    """However many of its attempts are marked, a job counts once; one of which none is marked does not."""
    metrics = Metrics()
    marked = [Attempt(number, NOON, 0.1, maybe_again=number > 1) for number in (1, 2, 3)]
    for attempts in (marked, marked[:1]):
        metrics.executed(ExecutionRecord(job_id="j", handler_id="h", method="m", attempts=tuple(attempts)))
    assert metrics.jobs_maybe_twice == 1


def test_ends_are_counted_by_handler_and_outcome() -> None:
    """Only ends count, each once."""
    metrics = Metrics()
    for outcome in (Outcome.SUCCESS, Outcome.SUCCESS, Outcome.MISSED):
        metrics.heard(ServiceEvent(kind=EventKind.JOB_FINISHED, at=NOON, handler_id="h", outcome=outcome))
    metrics.heard(ServiceEvent(kind=EventKind.JOB_STARTED, at=NOON, handler_id="h"))
    metrics.heard(ServiceEvent(kind=EventKind.JOB_ADDED, at=NOON, handler_id="h", schedule_id="s"))
    metrics.heard(ServiceEvent(kind=EventKind.JOB_ADDED, at=NOON, handler_id="h"))
    assert metrics.jobs_finished == {("h", "success"): 2, ("h", "missed"): 1}
    assert metrics.jobs_added == {"schedule": 1, "run_now": 1}


def test_handlers_without_number_do_not_fill_the_memory() -> None:
    """Beyond the first two hundred they are counted together."""
    metrics = Metrics()
    for number in range(MOST_HANDLERS + 50):
        metrics.executed(record(f"h{number}"))
    assert len(metrics.calls) == MOST_HANDLERS + 1
    assert metrics.calls[OTHERS].count == 50
    assert metrics.calls["h0"].count == 1
