"""APScheduler's view of schedules when its clock and the store's differ.

Several servers on one store go by the store's clock, or the one whose clock is ahead would fire everything
early, and coalesce what is not due yet. APScheduler compares fire times with its own machine's clock. So it is
shown fire times that are shifted by the difference, and what it makes of them is shifted back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

import attrs
from apscheduler import Job, Schedule, ScheduleResult
from apscheduler.abc import Trigger

__all__ = ["shifted_deadline", "shifted_schedule", "unshifted_job", "unshifted_result"]


class _Shifted(Trigger):
    """A trigger seen by a clock that is ahead by `ahead`."""

    def __init__(self, trigger: Trigger, ahead: timedelta) -> None:
        self.trigger = trigger
        self.ahead = ahead

    def next(self) -> datetime | None:
        fire = self.trigger.next()
        return None if fire is None else fire + self.ahead

    def __getstate__(self) -> Any:
        raise NotImplementedError("a shifted trigger is never stored")

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError("a shifted trigger is never stored")


def shifted_schedule(schedule: Schedule, ahead: timedelta) -> Schedule:
    """The schedule as a clock sees it that is `ahead` of the store's."""
    if not ahead or schedule.next_fire_time is None:
        return schedule
    seen: Schedule = cast("Any", attrs).evolve(
        schedule, trigger=_Shifted(schedule.trigger, ahead), next_fire_time=schedule.next_fire_time + ahead
    )
    return seen


def unshifted_result(result: ScheduleResult) -> tuple[ScheduleResult, timedelta]:
    """What came of a schedule, by the store's clock, and the difference it was shifted by."""
    shifted = result.trigger
    if not isinstance(shifted, _Shifted):
        return result, timedelta()
    plain: ScheduleResult = cast("Any", ScheduleResult)(
        schedule_id=result.schedule_id,
        task_id=result.task_id,
        trigger=shifted.trigger,
        last_fire_time=_earlier(result.last_fire_time, shifted.ahead),
        next_fire_time=_earlier(result.next_fire_time, shifted.ahead),
    )
    return plain, shifted.ahead


def unshifted_job(job: Job, ahead: timedelta) -> Job:
    """A job made of a shifted schedule, by the store's clock."""
    if not ahead:
        return job
    changed: Job = cast("Any", attrs).evolve(
        job,
        scheduled_fire_time=_earlier(job.scheduled_fire_time, ahead),
        start_deadline=_earlier(job.start_deadline, ahead),
    )
    return changed


def shifted_deadline(job: Job, ahead: timedelta) -> Job:
    """A job whose start deadline APScheduler is going to compare with its own clock."""
    if not ahead or job.start_deadline is None:
        return job
    changed: Job = cast("Any", attrs).evolve(job, start_deadline=job.start_deadline + ahead)
    return changed


def _earlier(instant: datetime | None, ahead: timedelta) -> datetime | None:
    return None if instant is None else instant - ahead
