"""What happens in a service, told in its own words as it happens.

APScheduler's events name its own things (tasks, releases); these name handlers, jobs and outcomes, and the end of a
job is told with the outcome that is in the execution log.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime

import msgspec
from apscheduler import (
    Event,
    JobAcquired,
    JobAdded,
    JobOutcome,
    JobReleased,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleUpdated,
)

from schedule_zero.execution_log import ExecutionRecord, Outcome
from schedule_zero.requests import Instant
from schedule_zero.rows import TASK_PREFIX

__all__ = ["EventKind", "ServiceEvent", "event_of", "finished"]

#: What APScheduler releases without the executor having had a word. Success is told by `finished`; a cancelled job
#: goes back to the store and has not ended.
_ENDED = {
    JobOutcome.error: Outcome.ERROR,
    JobOutcome.missed_start_deadline: Outcome.MISSED,
    JobOutcome.deserialization_failed: Outcome.ERROR,
    JobOutcome.abandoned: Outcome.ABANDONED,
}


class EventKind(enum.Enum):
    """What happened."""

    JOB_ADDED = "job.added"
    JOB_STARTED = "job.started"
    JOB_FINISHED = "job.finished"
    SCHEDULE_ADDED = "schedule.added"
    #: Also after each firing, with the next fire time.
    SCHEDULE_UPDATED = "schedule.updated"
    SCHEDULE_REMOVED = "schedule.removed"
    #: A handler has come, gone, or come back.
    HANDLER_CHANGED = "handler.changed"


class ServiceEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event; which fields it has depends on its kind. Instants are in UTC."""

    kind: EventKind
    at: Instant
    job_id: str | None = None
    schedule_id: str | None = None
    handler_id: str | None = None
    method: str | None = None
    outcome: Outcome | None = None
    error: str | None = None
    scheduled_for: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    next_fire_time: Instant | None = None
    #: A handler's status: Connected or Disconnected; None when it was forgotten.
    status: str | None = None
    #: The job was at another server on the same store, which alone knows how it ended: ask for the job.
    elsewhere: bool = False


def event_of(event: Event, identity: str) -> ServiceEvent | None:
    """The event in our words; None for what is not told, or told by `finished`.

    `identity` is this server's own: events of others on the same store are heard too.
    """
    match event:
        case JobAdded():
            return _of_job(EventKind.JOB_ADDED, event)
        case JobAcquired():
            elsewhere = event.scheduler_id != identity
            return msgspec.structs.replace(_of_job(EventKind.JOB_STARTED, event), elsewhere=elsewhere)
        case JobReleased() if event.scheduler_id != identity and event.outcome is not JobOutcome.cancelled:
            return msgspec.structs.replace(
                _of_job(EventKind.JOB_FINISHED, event), ended_at=event.timestamp, elsewhere=True
            )
        case JobReleased() if event.outcome in _ENDED:
            return msgspec.structs.replace(
                _of_job(EventKind.JOB_FINISHED, event),
                outcome=_ENDED[event.outcome],
                started_at=event.started_at,
                scheduled_for=event.scheduled_start,
                ended_at=event.timestamp,
            )
        case ScheduleAdded():
            return _of_schedule(EventKind.SCHEDULE_ADDED, event, event.next_fire_time)
        case ScheduleUpdated():
            return _of_schedule(EventKind.SCHEDULE_UPDATED, event, event.next_fire_time)
        case ScheduleRemoved():
            return _of_schedule(EventKind.SCHEDULE_REMOVED, event, None)
    return None


def finished(record: ExecutionRecord) -> ServiceEvent:
    """The event of a job that its executor has brought to its outcome."""
    return ServiceEvent(
        kind=EventKind.JOB_FINISHED,
        at=record.ended_at or datetime.now(UTC),
        job_id=record.job_id,
        schedule_id=record.schedule_id,
        handler_id=record.handler_id,
        method=record.method,
        outcome=record.outcome,
        error=record.error,
        scheduled_for=record.scheduled_for,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _of_job(kind: EventKind, event: JobAdded | JobAcquired | JobReleased) -> ServiceEvent:
    return ServiceEvent(
        kind=kind,
        at=event.timestamp,
        job_id=str(event.job_id),
        schedule_id=event.schedule_id,
        handler_id=event.task_id.removeprefix(TASK_PREFIX),
    )


def _of_schedule(
    kind: EventKind, event: ScheduleAdded | ScheduleUpdated | ScheduleRemoved, next_fire: datetime | None
) -> ServiceEvent:
    return ServiceEvent(
        kind=kind,
        at=event.timestamp,
        schedule_id=event.schedule_id,
        handler_id=(event.task_id or "").removeprefix(TASK_PREFIX) or None,
        next_fire_time=next_fire,
    )
