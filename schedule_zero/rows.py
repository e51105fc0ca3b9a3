"""APScheduler's structures as rows of our tables.

Arguments of calls are plain JSON. Only triggers go through APScheduler's JSON serializer, which can name classes: it
never sees what a client sent, and takes no other classes than triggers. Which code a task runs is not read at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
from apscheduler import CoalescePolicy, Job, JobOutcome, JobResult, Schedule, Task
from apscheduler.abc import Trigger

from schedule_zero.execution_log import ExecutionRecord, Outcome
from schedule_zero.schema import instant, micros, span
from schedule_zero.security.stored_triggers import StoredTriggers
from schedule_zero.takings import UNDER_WAY, takings

#: Key in a job's metadata (in memory only): the log may already know this job, look before calling.
SEEN = "seen"
#: Key in a schedule's and its jobs' metadata: how many jobs of this schedule may run at once.
SCHEDULE_LIMIT = "max_running_jobs"

#: The name of the one job executor. APScheduler keeps a job of another one for ever, without a word.
EXECUTOR = "async"
#: What stands before the handler's id in the id of its task.
TASK_PREFIX = "handler:"
#: The function of every task, whatever a store says: APScheduler imports what a task names before it runs anything.
TASK_FUNCTION = "schedule_zero.scheduler:call_handler"

# APScheduler's attrs converters hide from mypy that these classes take None: hence the casts below.
TASK_COLUMNS = "id, func, job_executor, max_running_jobs, misfire_grace, metadata"
SCHEDULE_COLUMNS = (
    'id, task_id, "trigger", kwargs, paused, "coalesce", misfire_grace, max_jitter,'
    " job_executor, metadata, last_fire, next_fire, acquired_by, acquired_until"
)
JOB_COLUMNS = (
    "id, task_id, kwargs, schedule_id, scheduled_fire, jitter, start_deadline, job_executor,"
    " metadata, created_at, acquired_by, acquired_until"
)

_OUTCOMES = {
    JobOutcome.success: Outcome.SUCCESS,
    JobOutcome.error: Outcome.ERROR,
    JobOutcome.missed_start_deadline: Outcome.MISSED,
    JobOutcome.deserialization_failed: Outcome.ERROR,
    JobOutcome.cancelled: Outcome.CANCELLED,
    JobOutcome.abandoned: Outcome.ABANDONED,
}


def marks(columns: str) -> str:
    """The parameter marks for a list of columns."""
    return ",".join("?" * (columns.count(",") + 1))


def task_row(task: Task) -> tuple[Any, ...]:
    """A task as a row in the order of `TASK_COLUMNS`."""
    metadata = _dump(task.metadata)
    return task.id, task.func, task.job_executor, task.max_running_jobs, span(task.misfire_grace_time), metadata


def task_of(row: Sequence[Any]) -> Task:
    """The task of a row of `TASK_COLUMNS`."""
    task: Task = cast("Any", Task)(
        id=row[0],
        func=TASK_FUNCTION,
        job_executor=row[2],
        max_running_jobs=row[3],
        misfire_grace_time=_span_of(row[4]),
        metadata=msgspec.json.decode(row[5]),
    )
    return task


def trigger_text(trigger: Trigger) -> str:
    """A trigger with its state as JSON text; raises APScheduler's SerializationError."""
    text: str = StoredTriggers().serialize(trigger).decode()
    return text


def schedule_row(schedule: Schedule) -> tuple[Any, ...]:
    """A schedule as a row in the order of `SCHEDULE_COLUMNS`."""
    return (
        schedule.id,
        schedule.task_id,
        trigger_text(schedule.trigger),
        _dump(schedule.kwargs),
        int(schedule.paused),
        schedule.coalesce.name,
        span(schedule.misfire_grace_time),
        span(schedule.max_jitter),
        schedule.job_executor,
        _dump(schedule.metadata),
        micros(schedule.last_fire_time),
        micros(schedule.next_fire_time),
        schedule.acquired_by,
        micros(schedule.acquired_until),
    )


def schedule_of(row: Sequence[Any]) -> Schedule:
    """The schedule of a row of `SCHEDULE_COLUMNS`; raises one of many exceptions for a row that makes no sense."""
    _require_executor(row[8])
    schedule: Schedule = cast("Any", Schedule)(
        id=row[0],
        task_id=row[1],
        trigger=StoredTriggers().deserialize(row[2].encode()),
        kwargs=msgspec.json.decode(row[3]),
        paused=bool(row[4]),
        coalesce=CoalescePolicy[row[5]],
        misfire_grace_time=_span_of(row[6]),
        max_jitter=_span_of(row[7]),
        job_executor=row[8],
        metadata=msgspec.json.decode(row[9]),
        last_fire_time=instant(row[10]),
        next_fire_time=instant(row[11]),
        acquired_by=row[12],
        acquired_until=instant(row[13]),
    )
    return schedule


def job_row(job: Job) -> tuple[Any, ...]:
    """A job as a row in the order of `JOB_COLUMNS`."""
    return (
        str(job.id),
        job.task_id,
        _dump(job.kwargs),
        job.schedule_id,
        micros(job.scheduled_fire_time),
        span(job.jitter),
        micros(job.start_deadline),
        job.executor,
        _dump(job.metadata),
        micros(job.created_at),
        job.acquired_by,
        micros(job.acquired_until),
    )


def job_of(row: Sequence[Any]) -> Job:
    """The job of a row of `JOB_COLUMNS`; raises one of many exceptions for a row that makes no sense."""
    _require_executor(row[7])
    metadata = msgspec.json.decode(row[8], type=dict[str, Any])
    takings(metadata)
    job: Job = cast("Any", Job)(
        id=_number_of(row[0]),
        task_id=row[1],
        kwargs=msgspec.json.decode(row[2]),
        schedule_id=row[3],
        scheduled_fire_time=instant(row[4]),
        jitter=timedelta(microseconds=row[5]),
        start_deadline=instant(row[6]),
        executor=row[7],
        metadata=metadata,
        created_at=instant(row[9]),
        acquired_by=row[10],
        acquired_until=instant(row[11]),
    )
    return job


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """A job's metadata as they stand in its row."""
    return _dump({key: value for key, value in metadata.items() if key not in (SEEN, UNDER_WAY)})


def outcome_record(job: Job, result: JobResult) -> ExecutionRecord:
    """What the log says of a job that ended without its executor having had a word."""
    exception = result.exception
    return ExecutionRecord(
        job_id=str(job.id),
        handler_id=str(job.kwargs.get("handler_id", "")),
        method=str(job.kwargs.get("method", "")),
        schedule_id=job.schedule_id,
        scheduled_for=job.scheduled_fire_time,
        accepted_at=job.created_at,
        started_at=result.started_at,
        ended_at=result.finished_at,
        outcome=_OUTCOMES[result.outcome],
        error=_WHY.get(result.outcome) if exception is None else f"{type(exception).__name__}: {exception}",
    )


_WHY = {
    JobOutcome.missed_start_deadline: "not started before its deadline (misfire grace time)",
    JobOutcome.deserialization_failed: "the stored job cannot be read",
}


def missed_result(job: Job) -> JobResult:
    """The result of a job whose start deadline has passed."""
    now = datetime.now(UTC)
    return JobResult(job_id=job.id, outcome=JobOutcome.missed_start_deadline, finished_at=now, expires_at=now)


def _require_executor(name: object) -> None:
    if name != EXECUTOR:
        raise ValueError(f"job executor {name!r} is not known, expected {EXECUTOR!r}")


def _number_of(text: str) -> UUID:
    number = UUID(text)
    if str(number) != text:
        # It would be found by what it says, and then not under that.
        raise ValueError(f"job id {text!r} is not written as {number}")
    return number


def _span_of(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(microseconds=value)


def _dump(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
