"""What a scheduler does, written down as it happens by the process it happens in.

Executors are wrapped, so that every run of whatever callable is seen from where it is called; what the scheduler itself
says of its jobs comes from its events. Nothing of it is asked to behave differently.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from apscheduler import AsyncScheduler, Event, Job, JobAcquired, JobReleased
from apscheduler.abc import JobExecutor

from harness.agent.journal import Journal
from harness.models.zones import micros
from harness.targets.apscheduler.moments import clocks


class Observed(JobExecutor):
    """An executor that notes the beginning and the end of each run of another one."""

    def __init__(self, inner: JobExecutor, journal: Journal) -> None:
        self._inner, self._journal = inner, journal

    async def start(self, exit_stack: AsyncExitStack) -> None:
        """Start the other one."""
        await self._inner.start(exit_stack)

    async def run_job(self, func: Callable[..., Any], job: Job) -> Any:
        """Have the other one run it. A run that is cancelled has no end."""
        self._journal.write("begin", job=str(job.id), task=job.task_id)
        try:
            result = await self._inner.run_job(func, job)
        except Exception:
            self._journal.write("end", job=str(job.id), ok=False)
            raise
        self._journal.write("end", job=str(job.id), ok=True)
        return result


def observe_executors(scheduler: AsyncScheduler, journal: Journal) -> None:
    """Wrap all executors of a scheduler that has not been started yet."""
    for name, executor in list(scheduler.job_executors.items()):
        scheduler.job_executors[name] = Observed(executor, journal)


def observe_events(scheduler: AsyncScheduler, journal: Journal) -> None:
    """Note what an entered scheduler says about its jobs."""

    def acquired(event: Event) -> None:
        assert isinstance(event, JobAcquired)
        journal.write("acquired", **_about(event))

    def released(event: Event) -> None:
        assert isinstance(event, JobReleased)
        journal.write(
            "released",
            **_about(event),
            started=_micros(event.started_at),
            ended=_micros(event.timestamp),
            outcome=event.outcome.name,
            error=": ".join(filter(None, (event.exception_type, event.exception_message))),
        )

    scheduler.subscribe(acquired, {JobAcquired})
    scheduler.subscribe(released, {JobReleased})


def pending(job: Job) -> dict[str, Any]:
    """A job that the store holds, as a journal would have it."""
    return {
        "job": str(job.id),
        "task": job.task_id,
        "schedule": job.schedule_id or "",
        "scheduled": _micros(job.scheduled_fire_time),
        **_now(),
    }


def _about(event: JobAcquired | JobReleased) -> dict[str, Any]:
    return {
        "job": str(event.job_id),
        "task": event.task_id,
        "schedule": event.schedule_id or "",
        "scheduled": _micros(event.scheduled_start),
        **_now(),
    }


def _now() -> dict[str, Any]:
    read, shown = clocks()
    return {"read": read, "wall": shown}


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)
