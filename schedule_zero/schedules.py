"""Schedules as the service offers them: add, look, pause, resume, reschedule, remove."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import msgspec
from apscheduler import CoalescePolicy, ConflictingIdError, ConflictPolicy, Job, Schedule
from apscheduler.abc import Trigger

from schedule_zero.addressees import Addressees
from schedule_zero.idempotency import fingerprint, key_of
from schedule_zero.instants import is_tellable
from schedule_zero.refusals import AlreadyExists, InvalidRequest, NotFound
from schedule_zero.requests import NewSchedule, ScheduleChange, call_kwargs
from schedule_zero.rows import EXECUTOR, SCHEDULE_LIMIT
from schedule_zero.scheduler import task_id
from schedule_zero.store import JobStore
from schedule_zero.triggers import build_trigger
from schedule_zero.unreadable import Page
from schedule_zero.views import ScheduleView, schedule_view


class Schedules:
    """The schedules of a store; `addressees` refuses those that no handler could carry out."""

    def __init__(self, store: JobStore, addressees: Addressees, *, misfire_grace: float | None) -> None:
        self._store = store
        self._addressees = addressees
        self._misfire_grace = misfire_grace

    async def add(self, request: NewSchedule, *, idempotency_key: str | None = None) -> str:
        """Add a schedule durably; returns its id.

        Raises `UnknownHandler`, `UnknownMethod`, `InvalidRequest` (the trigger, or two keys), `AlreadyExists`,
        `IdempotencyConflict`.
        """
        schedule = self._build(request)
        key = key_of(request, idempotency_key)
        if (earlier := await self._addressees.admit(request, key)) is not None:
            return earlier
        policy = ConflictPolicy[request.conflict_policy]
        try:
            return await self._store.accept_schedule(
                schedule, policy, key=key, fingerprint=fingerprint(request)
            )
        except ConflictingIdError:
            raise AlreadyExists(
                f"schedule id {schedule.id!r} is taken: choose another, or use conflict_policy replace"
            ) from None

    async def page(
        self, *, handler_id: str | None = None, after: str = "", limit: int = 1000
    ) -> Page[ScheduleView, str]:
        """Up to `limit` schedules by id, from the id after `after` on."""
        task = None if handler_id is None else task_id(handler_id)
        page = await self._store.page_schedules(task=task, after=after, limit=limit)
        return Page([schedule_view(schedule) for schedule in page.items], page.place, page.wrong)

    async def ahead(self, limit: int) -> tuple[list[ScheduleView], int, int]:
        """Up to `limit` schedules that are not paused, the next to fire first; how many there are, and paused ones."""
        views = [schedule_view(schedule) for schedule in await self._store.next_schedules(limit)]
        return views, *await self._store.count_schedules()

    async def run(self, schedule_id: str, *, idempotency_key: str) -> str:
        """Accept a job that does at once what the schedule does, beside its fire times; returns the job's id.

        Jitter and `max_running_jobs` of the schedule do not count for it. Raises `NotFound`, `IdempotencyConflict`.
        """
        schedule = await self._find(schedule_id)
        job = Job(task_id=schedule.task_id, kwargs=dict(schedule.kwargs), schedule_id=schedule_id, executor=EXECUTOR)
        # Never without a key: a plain job of a schedule that fires at this moment would count as one of its firing.
        wanted = fingerprint(["run", schedule_id])
        return str(await self._store.accept(job, key=idempotency_key, fingerprint=wanted))

    async def all(self) -> list[ScheduleView]:
        """All schedules by id."""
        return [schedule_view(schedule) for schedule in await self._store.get_schedules()]

    async def get(self, schedule_id: str) -> ScheduleView:
        """One schedule; raises `NotFound`, `RowUnreadable`."""
        return schedule_view(await self._find(schedule_id))

    async def pause(self, schedule_id: str) -> None:
        """Let it fire no more until it is resumed; raises `NotFound`."""
        self._found(schedule_id, await self._store.set_paused(schedule_id, True))

    async def resume(self, schedule_id: str) -> None:
        """Let it fire again: what it has missed is coalesced as its policy says; raises `NotFound`."""
        self._found(schedule_id, await self._store.set_paused(schedule_id, False))

    async def reschedule(
        self, schedule_id: str, trigger: Trigger | Mapping[str, Any], *, paused: bool | None = None
    ) -> None:
        """Give it another trigger, and with it pause or resume it if told; raises `NotFound`, `InvalidRequest`."""
        new = trigger if isinstance(trigger, Trigger) else build_trigger(trigger)
        first = _first_fire(new)
        self._found(schedule_id, await self._store.set_trigger(schedule_id, new, first, paused=paused))

    async def change(self, schedule_id: str, change: ScheduleChange) -> None:
        """Do all that is wanted as one: with a new trigger it does not fire if it is to be paused.

        Raises `NotFound`, `InvalidRequest`.
        """
        if change.trigger is not None:
            await self.reschedule(schedule_id, change.trigger, paused=change.paused)
        elif change.paused is not None:
            await (self.pause if change.paused else self.resume)(schedule_id)

    async def remove(self, schedule_id: str) -> None:
        """Remove it; jobs that it has made stay. Raises `NotFound`."""
        self._found(schedule_id, await self._store.remove_schedules([schedule_id]) > 0)

    async def _find(self, schedule_id: str) -> Schedule:
        schedules = await self._store.get_schedules({schedule_id})
        if not schedules:
            self._store.unreadable.require_none("schedule", schedule_id)
        self._found(schedule_id, bool(schedules))
        return schedules[0]

    @staticmethod
    def _found(schedule_id: str, found: bool) -> None:
        if not found:
            raise NotFound(f"there is no schedule {schedule_id!r}")

    def _build(self, request: NewSchedule) -> Schedule:
        grace = request.misfire_grace_time
        trigger = build_trigger(request.trigger)
        schedule: Schedule = cast("Any", Schedule)(
            id=request.job_id or str(uuid4()),
            task_id=task_id(request.handler_id),
            trigger=trigger,
            kwargs=call_kwargs(request),
            paused=request.paused,
            coalesce=CoalescePolicy[request.coalesce],
            misfire_grace_time=_span(self._misfire_grace if isinstance(grace, msgspec.UnsetType) else grace),
            max_jitter=_span(request.max_jitter),
            job_executor=EXECUTOR,
            metadata={} if request.max_running_jobs is None else {SCHEDULE_LIMIT: request.max_running_jobs},
        )
        schedule.next_fire_time = _first_fire(trigger)
        return schedule


def _first_fire(trigger: Trigger) -> Any:
    try:
        first = trigger.next()
    except Exception as error:
        raise InvalidRequest("trigger", f"its fire times cannot be computed: {error}") from error
    if first is None:
        raise InvalidRequest("trigger", "it would never fire")
    if not is_tellable(first):
        raise InvalidRequest("trigger", f"it would first fire at {first}, beyond the ends of the calendar in UTC")
    return first


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
