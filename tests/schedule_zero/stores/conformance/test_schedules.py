"""Schedules with their leases, in every data store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler import (
    ConflictingIdError,
    ConflictPolicy,
    Schedule,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleUpdated,
)
from apscheduler.abc import DataStore

pytestmark = pytest.mark.integration

T = "handler:t"
LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=40)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[DataStore, Any], Awaitable[None]]
Stores = Callable[[Scene], None]


def names(schedules: list[Schedule]) -> list[str]:
    """Their ids, sorted."""
    return sorted(item.id for item in schedules)


async def pause(span: timedelta) -> None:
    """Let a lease of that length run out."""
    await asyncio.sleep(span.total_seconds() * 2)


def test_a_schedule_comes_back_as_it_was_given(on_store: Stores, make: Any) -> None:
    """Every field of a schedule survives the store."""

    async def scene(store: DataStore, events: Any) -> None:
        given = make.schedule(
            kwargs={"a": [1, {"b": None}], "snow": "\N{SNOWMAN}"},
            paused=True,
            misfire_grace_time=timedelta(seconds=3),
            max_jitter=timedelta(seconds=2),
            metadata={"note": "x"},
        )
        await store.add_schedule(given, ConflictPolicy.exception)
        [found] = await store.get_schedules({"s"})
        assert (found.kwargs, found.paused, found.metadata) == (given.kwargs, True, {"note": "x"})
        assert (found.misfire_grace_time, found.max_jitter) == (timedelta(seconds=3), timedelta(seconds=2))
        assert (found.next_fire_time, found.coalesce, found.task_id) == (NOW, given.coalesce, T)
        assert events.kinds() == [ScheduleAdded]

    on_store(scene)


def test_a_taken_id_is_refused_replaced_or_left(on_store: Stores, make: Any) -> None:
    """The three conflict policies do what their names say, and tell it."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_schedule(make.schedule(kwargs={"n": 1}), ConflictPolicy.exception)
        with pytest.raises(ConflictingIdError):
            await store.add_schedule(make.schedule(kwargs={"n": 2}), ConflictPolicy.exception)
        await store.add_schedule(make.schedule(kwargs={"n": 3}), ConflictPolicy.do_nothing)
        assert [item.kwargs for item in await store.get_schedules()] == [{"n": 1}]
        await store.add_schedule(make.schedule(kwargs={"n": 4}), ConflictPolicy.replace)
        assert [item.kwargs for item in await store.get_schedules()] == [{"n": 4}]
        assert events.kinds() == [ScheduleAdded, ScheduleUpdated]

    on_store(scene)


def test_schedules_are_found_by_id_and_removed(on_store: Stores, make: Any) -> None:
    """`get_schedules` gives all, or those that exist among the ids; removing an unknown one is nothing."""

    async def scene(store: DataStore, events: Any) -> None:
        for name in "abc":
            await store.add_schedule(make.schedule(name), ConflictPolicy.exception)
        assert names(await store.get_schedules()) == ["a", "b", "c"]
        assert names(await store.get_schedules({"a", "c", "x"})) == ["a", "c"]
        events.kinds()
        await store.remove_schedules(["a", "x"])
        assert events.kinds() == [ScheduleRemoved]
        assert names(await store.get_schedules()) == ["b", "c"]

    on_store(scene)


def test_only_due_and_unpaused_schedules_are_acquired_the_earliest_first(on_store: Stores, make: Any) -> None:
    """Up to the limit, in order of their fire times; neither the future ones, nor finished, nor paused ones."""

    async def scene(store: DataStore, events: Any) -> None:
        later = datetime.now(UTC) + timedelta(hours=1)
        for item in (
            make.schedule("second", NOW + timedelta(seconds=1)),
            make.schedule("first", NOW),
            make.schedule("third", NOW + timedelta(seconds=2)),
            make.schedule("future", later),
            make.schedule("finished", None),
            make.schedule("paused", NOW, paused=True),
        ):
            await store.add_schedule(item, ConflictPolicy.exception)
        taken = await store.acquire_schedules("me", LEASE, 2)
        assert [item.id for item in taken] == ["first", "second"]
        assert [item.id for item in await store.acquire_schedules("you", LEASE, 9)] == ["third"]

    on_store(scene)


def test_a_schedule_is_one_schedulers_until_its_lease_runs_out(on_store: Stores, make: Any) -> None:
    """Another scheduler gets an acquired schedule after the lease, and not before; its owner gets it again."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_schedule(make.schedule(), ConflictPolicy.exception)
        assert names(await store.acquire_schedules("me", LEASE, 9)) == ["s"]
        assert names(await store.acquire_schedules("you", LEASE, 9)) == []
        assert names(await store.acquire_schedules("me", SHORT, 9)) == ["s"]
        await pause(SHORT)
        assert names(await store.acquire_schedules("you", LEASE, 9)) == ["s"]

    on_store(scene)


def test_a_lease_can_be_prolonged_by_its_owner_alone(on_store: Stores, make: Any) -> None:
    """After prolonging, the old end of the lease gives nobody else the schedule or the job."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_schedule(make.schedule(), ConflictPolicy.exception)
        await store.add_job(make.job())
        await store.acquire_schedules("me", SHORT, 9)
        [mine] = await store.acquire_jobs("me", SHORT, 9)
        await store.extend_acquired_schedule_leases("me", {"s"}, LEASE)
        await store.extend_acquired_job_leases("me", {mine.id}, LEASE)
        await store.extend_acquired_schedule_leases("you", {"s"}, -LEASE)
        await store.extend_acquired_job_leases("you", {mine.id}, -LEASE)
        await pause(SHORT)
        assert await store.acquire_schedules("you", LEASE, 9) == []
        assert await store.acquire_jobs("you", LEASE, 9) == []

    on_store(scene)


def test_a_released_schedule_moves_on_and_is_free(on_store: Stores, make: Any) -> None:
    """Its next and last fire times are those handed back, and the store says when something is due next."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_schedule(make.schedule("a"), ConflictPolicy.exception)
        [item] = await store.acquire_schedules("me", LEASE, 9)
        next_fire = datetime(2099, 1, 1, tzinfo=UTC)
        events.kinds()
        await store.release_schedules("me", [make.result(item, next_fire)])
        assert events.kinds() == [ScheduleUpdated]
        [moved] = await store.get_schedules()
        assert moved.acquired_by is None
        due = await store.get_next_schedule_run_time()
        # A store with a clock of its own shows fire times by this machine's clock.
        for told, expected in ((moved.last_fire_time, NOW), (moved.next_fire_time, next_fire), (due, next_fire)):
            assert told is not None
            assert abs(told - expected) < timedelta(milliseconds=50)

    on_store(scene)


def test_nothing_is_due_where_there_is_no_schedule(on_store: Stores) -> None:
    """`get_next_schedule_run_time` is None for an empty store."""

    async def scene(store: DataStore, events: Any) -> None:
        assert await store.get_next_schedule_run_time() is None

    on_store(scene)


def test_a_trigger_keeps_its_state(on_store: Stores, make: Any) -> None:
    """A trigger goes on where it was, after it has been through the store."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_schedule(make.schedule(), ConflictPolicy.exception)
        [item] = await store.acquire_schedules("me", LEASE, 9)
        fires = [item.trigger.next(), item.trigger.next()]
        future = datetime.now(UTC) + timedelta(hours=1)
        await store.release_schedules("me", [make.result(item, future)])
        [again] = await store.get_schedules()
        following = again.trigger.next()
        assert fires[1] is not None
        assert following is not None
        assert abs(following - fires[1] - timedelta(hours=1)) < timedelta(milliseconds=50)

    on_store(scene)
