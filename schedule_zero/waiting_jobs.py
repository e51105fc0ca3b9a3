"""The jobs of a store that have not ended, as others see them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from apscheduler import Job

from schedule_zero.execution_log import ExecutionLog, ExecutionRecord
from schedule_zero.job_calls import waiting_record
from schedule_zero.refusals import NotFound
from schedule_zero.requests import JobState
from schedule_zero.scheduler import task_id
from schedule_zero.store import JobStore
from schedule_zero.unreadable import Page
from schedule_zero.views import JobView, job_view

__all__ = ["find_job", "page_of_jobs", "view_of_job"]


async def page_of_jobs(
    store: JobStore,
    running: Mapping[str, ExecutionRecord],
    *,
    handler_id: str | None = None,
    acquired: bool | None = None,
    after: int = 0,
    limit: int = 100,
) -> Page[JobView, int]:
    """Up to `limit` jobs in order of arrival, from place `after` on.

    `running` is what the executor has under way; `acquired` True wants only jobs that are being called, False only
    those that wait.
    """
    task = None if handler_id is None else task_id(handler_id)
    page = await store.page_jobs(task=task, acquired=acquired, after=after, limit=limit)
    return Page([view_of_job(store, running, job) for job in page.items], page.place, page.wrong)


async def find_job(
    store: JobStore, log: ExecutionLog, running: Mapping[str, ExecutionRecord], job_id: str
) -> JobView:
    """Where a job stands, waiting or ended; raises `NotFound`, `RowUnreadable`."""
    try:
        number = UUID(job_id)
    except ValueError:
        store.unreadable.require_none("job", job_id)
        raise NotFound(f"there is no job {job_id!r}") from None
    # First the store, then the log: a job leaves the store only after its outcome is in the log.
    waiting = await store.get_jobs([number])
    record = await log.get(str(number))
    if record is not None and record.outcome is not None:
        return job_view(record, JobState.DONE)
    if not waiting:
        store.unreadable.require_none("job", str(number))
        raise NotFound(f"there is no job {job_id!r}")
    return view_of_job(store, running, waiting[0], record)


def view_of_job(
    store: JobStore, running: Mapping[str, ExecutionRecord], job: Job, known: ExecutionRecord | None = None
) -> JobView:
    """A job of the store, with what the executor or else the log (`known`) tells of it."""
    state = JobState.RUNNING if store.runs(job) else JobState.PENDING
    return job_view(running.get(str(job.id)) or known or waiting_record(job), state)
