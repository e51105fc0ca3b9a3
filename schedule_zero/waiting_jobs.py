"""The jobs of a store that have not ended, as others see them."""

from __future__ import annotations

from collections.abc import Mapping

from apscheduler import Job

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.job_calls import waiting_record
from schedule_zero.requests import JobState
from schedule_zero.scheduler import task_id
from schedule_zero.store import JobStore
from schedule_zero.views import JobView, job_view

__all__ = ["page_of_jobs", "view_of_job"]


async def page_of_jobs(
    store: JobStore,
    running: Mapping[str, ExecutionRecord],
    *,
    handler_id: str | None = None,
    acquired: bool | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[list[JobView], int | None]:
    """Up to `limit` jobs in order of arrival, from place `after` on; with the last place, None at the end.

    `running` is what the executor has under way; `acquired` True wants only jobs that are being called, False only
    those that wait.
    """
    task = None if handler_id is None else task_id(handler_id)
    found, place = await store.page_jobs(task=task, acquired=acquired, after=after, limit=limit)
    return [view_of_job(store, running, job) for job in found], place


def view_of_job(
    store: JobStore, running: Mapping[str, ExecutionRecord], job: Job, known: ExecutionRecord | None = None
) -> JobView:
    """A job of the store, with what the executor or else the log (`known`) tells of it."""
    state = JobState.RUNNING if store.runs(job) else JobState.PENDING
    return job_view(running.get(str(job.id)) or known or waiting_record(job), state)
