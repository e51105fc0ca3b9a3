"""Defects in when schedules fire, and in what is left of them after a restart (see `mutants`)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from harness.targets.schedule_zero.mutant_registry import mutant


@mutant("schedules-forgotten")
def _schedules_forgotten() -> None:
    """A server that starts begins without schedules."""
    from schedule_zero.database import Database

    start = Database.start

    async def clean(self: Any, *args: Any) -> None:
        await start(self, *args)
        await self.write(lambda c: c.execute("DELETE FROM schedules").rowcount)

    Database.start = clean  # type: ignore[method-assign,assignment]


@mutant("fired-twice")
def _fired_twice() -> None:
    """Each time of a schedule makes two jobs."""
    import attrs

    from schedule_zero.store import JobStore

    add_job = JobStore.add_job

    async def twice(self: Any, job: Any) -> None:
        await add_job(self, job)
        if job.schedule_id is not None:
            await add_job(self, attrs.evolve(job, id=uuid4(), metadata=dict(job.metadata)))

    JobStore.add_job = twice  # type: ignore[method-assign]


@mutant("every-time-misfires-run")
def _every_time_misfires_run() -> None:
    """A job that is too late by its grace time is run all the same."""
    import attrs

    from schedule_zero.store import JobStore

    add_job = JobStore.add_job

    async def patient(self: Any, job: Any) -> None:
        await add_job(self, attrs.evolve(job, start_deadline=None))

    JobStore.add_job = patient  # type: ignore[method-assign]


@mutant("nothing-is-coalesced")
def _nothing_is_coalesced() -> None:
    """Of times that became due together every one is fired."""
    import attrs
    from apscheduler import CoalescePolicy

    from schedule_zero.store_schedules import ScheduleStore

    acquire = ScheduleStore.acquire_schedules

    async def each(self: Any, *args: Any) -> Any:
        return [attrs.evolve(schedule, coalesce=CoalescePolicy.all) for schedule in await acquire(self, *args)]

    ScheduleStore.acquire_schedules = each  # type: ignore[method-assign,assignment]


@mutant("pause-not-kept")
def _pause_not_kept() -> None:
    """A schedule that is paused goes on."""
    from schedule_zero.store_schedules import ScheduleStore

    set_paused = ScheduleStore.set_paused

    async def never(self: Any, schedule_id: str, paused: bool) -> bool:
        return await set_paused(self, schedule_id, False)

    ScheduleStore.set_paused = never  # type: ignore[method-assign]


@mutant("jitter-not-waited")
def _jitter_not_waited() -> None:
    """A job that jitter has put off runs at once (what APScheduler does)."""
    from schedule_zero import acquiring
    from schedule_zero.apscheduler_fixes.jitter_waited import DUE

    vars(acquiring)["_OF_TASK"] = acquiring._OF_TASK.replace(DUE, "? > 0")


@mutant("schedule-limit-ignored")
def _schedule_limit_ignored() -> None:
    """Jobs of one schedule run side by side, however many of them may."""
    from schedule_zero import acquiring

    vars(acquiring)["SCHEDULE_LIMIT"] = "no such key"


@mutant("zone-ignored")
def _zone_ignored() -> None:
    """The time zone of a cron schedule is taken to be UTC."""
    from zoneinfo import ZoneInfo

    from schedule_zero import triggers

    build = triggers._BUILDERS["cron"]

    def in_utc(values: dict[str, Any]) -> Any:
        return build({**values, "timezone": ZoneInfo("UTC")})

    vars(triggers)["_BUILDERS"] = {**triggers._BUILDERS, "cron": in_utc}


@mutant("day-after-shift-cut")
def _day_after_shift_cut() -> None:
    """Times before 01:00 on the day after the clocks went forward are lost (what APScheduler does)."""
    from apscheduler.triggers.cron import CronTrigger

    from schedule_zero.apscheduler_fixes.cron_day_after_shift import DayAfterShift

    def cut(self: Any, *args: Any) -> Any:
        return CronTrigger._increment_field_value(self, *args)

    DayAfterShift._increment_field_value = cut  # type: ignore[method-assign,assignment]


@mutant("removal-forgotten")
def _removal_forgotten() -> None:
    """A removal is answered, and not done."""
    from schedule_zero.store_schedules import ScheduleStore

    async def pretend(self: Any, ids: Any) -> int:
        return len(list(ids))

    ScheduleStore.remove_schedules = pretend  # type: ignore[method-assign]
