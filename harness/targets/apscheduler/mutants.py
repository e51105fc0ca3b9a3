"""The scheduler broken on purpose: each mutant is a data store that does one thing wrong.

So a scenario can be seen to fail. A mutant stands between the scheduler and its own store, whatever that is. Nothing
here is reachable in a run that names no mutant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from logging import Logger
from typing import Any
from uuid import UUID, uuid4

import attrs
from apscheduler import CoalescePolicy, ConflictPolicy, Job, JobResult, Schedule, ScheduleResult, Task
from apscheduler.abc import DataStore, EventBroker

from harness.errors import UsageError


class Passing(DataStore):
    """Hands everything on to another store."""

    def __init__(self, inner: DataStore) -> None:
        self.inner = inner

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: Logger) -> None:
        """Start the store behind this one."""
        await self.inner.start(exit_stack, event_broker, logger)

    async def add_task(self, task: Task) -> None:
        """Hand on."""
        await self.inner.add_task(task)

    async def remove_task(self, task_id: str) -> None:
        """Hand on."""
        await self.inner.remove_task(task_id)

    async def get_task(self, task_id: str) -> Task:
        """Hand on."""
        return await self.inner.get_task(task_id)

    async def get_tasks(self) -> list[Task]:
        """Hand on."""
        return await self.inner.get_tasks()

    async def get_schedules(self, ids: set[str] | None = None) -> list[Schedule]:
        """Hand on."""
        return await self.inner.get_schedules(ids)

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        """Hand on."""
        await self.inner.add_schedule(schedule, conflict_policy)

    async def remove_schedules(self, ids: Iterable[str]) -> None:
        """Hand on."""
        await self.inner.remove_schedules(ids)

    async def acquire_schedules(self, scheduler_id: str, lease_duration: timedelta, limit: int) -> list[Schedule]:
        """Hand on."""
        return await self.inner.acquire_schedules(scheduler_id, lease_duration, limit)

    async def release_schedules(self, scheduler_id: str, results: Sequence[ScheduleResult]) -> None:
        """Hand on."""
        await self.inner.release_schedules(scheduler_id, results)

    async def get_next_schedule_run_time(self) -> datetime | None:
        """Hand on."""
        return await self.inner.get_next_schedule_run_time()

    async def add_job(self, job: Job) -> None:
        """Hand on."""
        await self.inner.add_job(job)

    async def get_jobs(self, ids: Iterable[UUID] | None = None) -> list[Job]:
        """Hand on."""
        return await self.inner.get_jobs(ids)

    async def acquire_jobs(self, scheduler_id: str, lease_duration: timedelta, limit: int | None = None) -> list[Job]:
        """Hand on."""
        return await self.inner.acquire_jobs(scheduler_id, lease_duration, limit)

    async def release_job(self, scheduler_id: str, job: Job, result: JobResult) -> None:
        """Hand on."""
        await self.inner.release_job(scheduler_id, job, result)

    async def get_job_result(self, job_id: UUID) -> JobResult | None:
        """Hand on."""
        return await self.inner.get_job_result(job_id)

    async def extend_acquired_schedule_leases(
        self, scheduler_id: str, schedule_ids: set[str], duration: timedelta
    ) -> None:
        """Hand on."""
        await self.inner.extend_acquired_schedule_leases(scheduler_id, schedule_ids, duration)

    async def extend_acquired_job_leases(self, scheduler_id: str, job_ids: set[UUID], duration: timedelta) -> None:
        """Hand on."""
        await self.inner.extend_acquired_job_leases(scheduler_id, job_ids, duration)

    async def reap_abandoned_jobs(self, scheduler_id: str) -> None:
        """Hand on."""
        await self.inner.reap_abandoned_jobs(scheduler_id)

    async def cleanup(self) -> None:
        """Hand on."""
        await self.inner.cleanup()


class EveryThirdFireSkipped(Passing):
    """Of the jobs that schedules make every third is thrown away."""

    _count = 0

    async def add_job(self, job: Job) -> None:
        """Throw every third away."""
        self._count += job.schedule_id is not None
        if job.schedule_id is None or self._count % 3:
            await self.inner.add_job(job)


class FiresTwice(Passing):
    """Each time of a schedule makes two jobs."""

    async def add_job(self, job: Job) -> None:
        """Add it and a twin of it."""
        await self.inner.add_job(job)
        if job.schedule_id is not None:
            await self.inner.add_job(attrs.evolve(job, id=uuid4(), metadata=dict(job.metadata)))


class PauseIgnored(Passing):
    """A schedule that is paused goes on."""

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        """Keep it going."""
        await self.inner.add_schedule(attrs.evolve(schedule, paused=False), conflict_policy)


class MisfiresRun(Passing):
    """A job that is too late by its grace time is run all the same."""

    async def add_job(self, job: Job) -> None:
        """Give it all the time in the world."""
        await self.inner.add_job(attrs.evolve(job, start_deadline=None))  # type: ignore[arg-type]


class NothingCoalesced(Passing):
    """Of times that became due together every one is fired."""

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        """Fire all."""
        await self.inner.add_schedule(attrs.evolve(schedule, coalesce=CoalescePolicy.all), conflict_policy)


class ForgottenAtStart(Passing):
    """A start begins with an empty store."""

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: Logger) -> None:
        """Start, and remove every schedule."""
        await super().start(exit_stack, event_broker, logger)
        await self.inner.remove_schedules([schedule.id for schedule in await self.inner.get_schedules()])


REGISTRY: dict[str, type[Passing]] = {
    "every-third-fire-skipped": EveryThirdFireSkipped,
    "fires-twice": FiresTwice,
    "pause-ignored": PauseIgnored,
    "misfires-run": MisfiresRun,
    "nothing-coalesced": NothingCoalesced,
    "forgotten-at-start": ForgottenAtStart,
}
"""Mutants by name."""


def require(name: str) -> None:
    """Raise `UsageError` unless there is a mutant called `name`."""
    if name not in REGISTRY:
        raise UsageError(f"there is no mutant {name!r} of apscheduler; there are: {', '.join(sorted(REGISTRY))}")


def apply(name: str, scheduler: Any) -> None:
    """Break an `AsyncScheduler` that has not been entered yet; an empty name leaves it alone."""
    if name:
        require(name)
        scheduler.data_store = REGISTRY[name](scheduler.data_store)


def about() -> dict[str, str]:
    """What each mutant breaks, by name."""
    return {name: (broken.__doc__ or "").strip().splitlines()[0] for name, broken in sorted(REGISTRY.items())}
