"""Jobs, from their arrival to their end, in every data store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from apscheduler import (
    ConflictPolicy,
    JobAcquired,
    JobAdded,
    JobOutcome,
    JobReleased,
    JobResult,
    Schedule,
    ScheduleRemoved,
)
from apscheduler.abc import DataStore
from apscheduler.triggers.date import DateTrigger

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[DataStore, Any], Awaitable[None]]
Stores = Callable[[Scene], None]


def names(schedules: list[Schedule]) -> list[str]:
    """Their ids, sorted."""
    return sorted(item.id for item in schedules)


def test_a_job_comes_back_as_it_was_given(on_store: Stores, make: Any) -> None:
    """Every field of a job survives the store; jobs are found by id, or all of them."""

    async def scene(store: DataStore, events: Any) -> None:
        deadline = datetime(2099, 1, 1, tzinfo=UTC)
        given = make.job(scheduled_fire_time=NOW, start_deadline=deadline, schedule_id="s", metadata={"a": 1})
        await store.add_job(given)
        await store.add_job(make.job())
        [found] = await store.get_jobs([given.id, uuid4()])
        assert (found.id, found.kwargs, found.metadata) == (given.id, given.kwargs, {"a": 1})
        assert (found.scheduled_fire_time, found.start_deadline, found.schedule_id) == (NOW, deadline, "s")
        assert found.created_at == given.created_at
        assert len(await store.get_jobs()) == 2
        assert events.kinds() == [JobAdded, JobAdded]

    on_store(scene)


def test_jobs_are_acquired_within_the_limit_of_their_task(on_store: Stores, make: Any) -> None:
    """At most two at once of a task with that limit; releasing one frees a place."""

    async def scene(store: DataStore, events: Any) -> None:
        for _ in range(3):
            await store.add_job(make.job())
        events.kinds()
        taken = await store.acquire_jobs("me", LEASE, 9)
        assert len(taken) == 2
        assert events.kinds() == [JobAcquired, JobAcquired]
        assert await store.acquire_jobs("me", LEASE, 9) == []
        await store.release_job("me", taken[0], JobResult.from_job(taken[0], JobOutcome.success))
        assert events.kinds() == [JobReleased]
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        assert len(await store.get_jobs()) == 2

    on_store(scene)


def test_no_more_jobs_are_acquired_than_asked_for(on_store: Stores, make: Any) -> None:
    """`limit` bounds one round."""

    async def scene(store: DataStore, events: Any) -> None:
        for _ in range(2):
            await store.add_job(make.job())
        assert len(await store.acquire_jobs("me", LEASE, 1)) == 1

    on_store(scene)


def test_an_acquired_job_is_not_another_schedulers(on_store: Stores, make: Any) -> None:
    """What one scheduler holds, another does not get."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_job(make.job())
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        assert await store.acquire_jobs("you", LEASE, 9) == []

    on_store(scene)


def test_a_job_after_its_deadline_is_dropped_as_missed(on_store: Stores, make: Any) -> None:
    """It is not acquired, is gone, and an event tells why."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_job(make.job(start_deadline=NOW))
        await store.add_job(make.job())
        events.kinds()
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        [missed] = [event for event in events if isinstance(event, JobReleased)]
        assert missed.outcome is JobOutcome.missed_start_deadline
        assert len(await store.get_jobs()) == 1

    on_store(scene)


def test_cleanup_removes_schedules_that_are_done_and_no_others(on_store: Stores, make: Any) -> None:
    """A schedule without a next fire time goes once it has no job left."""

    async def scene(store: DataStore, events: Any) -> None:
        trigger = DateTrigger(NOW)
        await store.add_schedule(make.schedule("done", None, trigger=trigger), ConflictPolicy.exception)
        await store.add_schedule(make.schedule("busy", None, trigger=trigger), ConflictPolicy.exception)
        await store.add_schedule(make.schedule("alive", NOW), ConflictPolicy.exception)
        await store.add_job(make.job(schedule_id="busy"))
        events.kinds()
        await store.cleanup()
        assert events.kinds() == [ScheduleRemoved]
        assert names(await store.get_schedules()) == ["alive", "busy"]
        [last] = await store.acquire_jobs("me", LEASE, 9)
        await store.release_job("me", last, JobResult.from_job(last, JobOutcome.success))
        await store.cleanup()
        assert names(await store.get_schedules()) == ["alive"]

    on_store(scene)


def test_an_unknown_result_is_none(on_store: Stores) -> None:
    """Asking for the result of a job that nobody knows is no error."""

    async def scene(store: DataStore, events: Any) -> None:
        assert await store.get_job_result(uuid4()) is None

    on_store(scene)
