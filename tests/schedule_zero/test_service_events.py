"""APScheduler's events in the service's own words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from apscheduler import (
    JobAcquired,
    JobAdded,
    JobOutcome,
    JobReleased,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleUpdated,
    TaskAdded,
)

from schedule_zero.execution_log import ExecutionRecord, Outcome
from schedule_zero.service_events import EventKind, event_of, finished

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = UUID(int=7)


def event(kind: Any, **fields: Any) -> Any:
    """An event of APScheduler at noon, of handler `h`."""
    return kind(timestamp=NOON, task_id="handler:h", **fields)


def released(outcome: JobOutcome, scheduler_id: str = "me") -> Any:
    """The release of the job."""
    return event(
        JobReleased,
        job_id=JOB,
        scheduler_id=scheduler_id,
        schedule_id="s",
        outcome=outcome,
        scheduled_start=NOON,
        started_at=None,
    )


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        (event(JobAdded, job_id=JOB, schedule_id=None), EventKind.JOB_ADDED),
        (
            event(JobAcquired, job_id=JOB, scheduler_id="me", schedule_id=None, scheduled_start=None),
            EventKind.JOB_STARTED,
        ),
        (event(ScheduleAdded, schedule_id="s", next_fire_time=NOON), EventKind.SCHEDULE_ADDED),
        (event(ScheduleUpdated, schedule_id="s", next_fire_time=None), EventKind.SCHEDULE_UPDATED),
        (event(ScheduleRemoved, schedule_id="s", finished=True), EventKind.SCHEDULE_REMOVED),
    ],
    ids=lambda value: value.value if isinstance(value, EventKind) else "",
)
def test_events_name_handlers_not_tasks(heard: Any, kind: EventKind) -> None:
    """Each kind with its id, its handler and its time."""
    told = event_of(heard, "me")
    assert told is not None
    assert (told.kind, told.at, told.handler_id, told.elsewhere) == (kind, NOON, "h", False)
    assert (told.job_id, told.schedule_id) in ((str(JOB), None), (None, "s"))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (JobOutcome.missed_start_deadline, Outcome.MISSED),
        (JobOutcome.abandoned, Outcome.ABANDONED),
        (JobOutcome.error, Outcome.ERROR),
        (JobOutcome.deserialization_failed, Outcome.ERROR),
    ],
)
def test_jobs_that_no_executor_ended_are_told_with_their_outcome(outcome: JobOutcome, expected: Outcome) -> None:
    """A missed job never reaches the executor: its release is its end."""
    told = event_of(released(outcome), "me")
    assert told is not None
    assert (told.kind, told.outcome, told.elsewhere) == (EventKind.JOB_FINISHED, expected, False)


@pytest.mark.parametrize("outcome", [JobOutcome.success, JobOutcome.cancelled])
def test_what_is_told_elsewhere_or_has_not_ended_is_not_told(outcome: JobOutcome) -> None:
    """A success is told with its record; a job that was given back to the store has not ended; tasks are nobody's
    concern.
    """
    assert event_of(released(outcome), "me") is None
    assert event_of(event(TaskAdded), "me") is None


def test_jobs_of_another_server_end_without_an_outcome() -> None:
    """It alone knows whether a handler said error: who wants to know asks for the job."""
    told = event_of(released(JobOutcome.success, "another"), "me")
    assert told is not None
    assert (told.kind, told.outcome, told.elsewhere, told.ended_at) == (EventKind.JOB_FINISHED, None, True, NOON)
    assert event_of(released(JobOutcome.cancelled, "another"), "me") is None


def test_the_end_of_a_job_has_what_its_record_has() -> None:
    """Outcome, error and times."""
    record = ExecutionRecord(
        job_id="j", handler_id="h", method="m", schedule_id="s", started_at=NOON, ended_at=NOON,
        outcome=Outcome.ERROR, error="no luck",
    )  # fmt: skip
    told = finished(record)
    assert (told.kind, told.at, told.job_id, told.method) == (EventKind.JOB_FINISHED, NOON, "j", "m")
    assert (told.outcome, told.error, told.started_at) == (Outcome.ERROR, "no luck", NOON)
