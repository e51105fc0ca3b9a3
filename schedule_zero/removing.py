"""A job that shall not run any more: out of the store, into the log.

Also one that cannot be read: what its row still tells goes into its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from apscheduler import Job, JobOutcome, JobResult

from schedule_zero.dialect import Session, now, select
from schedule_zero.execution_log import ExecutionRecord, Outcome, find_record, insert_record
from schedule_zero.refusals import JobUnderWay
from schedule_zero.rows import JOB_COLUMNS, TASK_PREFIX, job_of, outcome_record
from schedule_zero.unreadable import Reading

__all__ = ["remove_job"]

_DROP: Final = "DELETE FROM jobs WHERE"
_WAITED: Final = "removed before it was begun"
_BEGUN: Final = "removed before it had its outcome; it has been begun"


def remove_job(c: Session, job_id: str, *, odd: bool = False) -> ExecutionRecord | None:
    """Drop the job and write `Outcome.CANCELLED` into its record, inside the caller's transaction; returns the record,
    None if there is no such job. An outcome that is in the log already stays. `odd` looks for an id that is no text,
    too, as Python would write it: SQLite keeps anything.

    Raises `JobUnderWay` while somebody's lease on it lasts.
    """
    rows = select(c, f"{_DROP} id = ? RETURNING {JOB_COLUMNS}", job_id)
    if not rows and odd:
        found = [seq for seq, key in select(c, "SELECT seq, id FROM jobs") if str(key) == job_id]
        rows = [row for seq in found for row in select(c, f"{_DROP} seq = ? RETURNING {JOB_COLUMNS}", seq)]
    if not rows:
        return None
    *_, holder, until = rows[0]
    if holder is not None and isinstance(until, int) and until >= now(c):
        raise JobUnderWay(job_id)
    known = find_record(c, job_id)
    if known is not None and known.outcome is not None:
        return known
    record = known if known is not None else _record_of(rows[0])
    why = _BEGUN if known is not None else record.error or _WAITED
    record = msgspec.structs.replace(record, outcome=Outcome.CANCELLED, ended_at=datetime.now(UTC), error=why)
    insert_record(c, record)
    return record


def _record_of(row: Sequence[Any]) -> ExecutionRecord:
    reading: Reading[Job] = Reading()
    job = reading.add(row, job_of)
    if job is not None:
        present = datetime.now(UTC)
        gone = JobResult(job_id=job.id, outcome=JobOutcome.cancelled, finished_at=present, expires_at=present)
        return outcome_record(job, gone)
    [why] = reading.wrong.values()
    handler_id = str(row[1]).removeprefix(TASK_PREFIX)
    error = f"removed, as it cannot be read: {why}"
    return ExecutionRecord(job_id=str(row[0]), handler_id=handler_id, method="", error=error)
