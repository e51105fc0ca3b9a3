"""What every data store of APScheduler must do, asked of APScheduler's own memory store and of all of ours.

Where ours keep more promises than the interface asks for (nothing accepted is abandoned, results lie in the
execution log), the tests for that are in test_promises.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from logging import getLogger
from typing import Any, cast
from uuid import uuid4

import pytest
from apscheduler import (
    ConflictingIdError,
    ConflictPolicy,
    Event,
    Job,
    JobAcquired,
    JobAdded,
    JobOutcome,
    JobReleased,
    JobResult,
    Schedule,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleResult,
    ScheduleUpdated,
    Task,
    TaskAdded,
    TaskLookupError,
    TaskRemoved,
    TaskUpdated,
)
from apscheduler.abc import DataStore
from apscheduler.datastores.memory import MemoryDataStore
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker
from schedule_zero.stores import build_store

pytestmark = pytest.mark.integration

T = "handler:t"
LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=40)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[DataStore, list[Event]], Awaitable[None]]
Stores = Callable[[Scene], None]


@pytest.fixture(params=["apscheduler", "memory", "sqlite", "postgres"])
def on_store(
    request: pytest.FixtureRequest,
    tmp_path: Any,
    within: Callable[..., None],
    postgres_if_wanted: Callable[[], Any],
) -> Stores:
    """Plays a scene on a started store, with the events that it publishes."""
    kind = request.param
    if kind == "postgres":
        url = postgres_if_wanted().new_schema()
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/jobs.db"}.get(kind, "")

    async def play(scene: Scene) -> None:
        async with AsyncExitStack() as stack:
            broker = LastingBroker()
            await broker.open(stack)
            store: DataStore
            if kind == "apscheduler":
                store = MemoryDataStore()
            else:
                store = build_store(url)
                store.connected = lambda: ("t",)
                await store.database.start()
                stack.push_async_callback(store.database.close)
            await store.start(stack, broker, getLogger("test"))
            await store.add_task(task())
            events: list[Event] = []
            broker.publish = told(events)  # type: ignore[method-assign,assignment]
            await scene(store, events)

    return lambda scene: within(lambda: play(scene))


def told(events: list[Event]) -> Callable[[Event], Awaitable[None]]:
    """A `publish` that keeps what it is given."""

    async def publish(event: Event) -> None:
        events.append(event)

    return publish


def task(name: str = T, **fields: Any) -> Task:
    """A task at which two jobs may run."""
    values = {"func": "builtins:print", "job_executor": "async", "max_running_jobs": 2, **fields}
    return cast("Task", cast("Any", Task)(id=name, **values))


def job(**fields: Any) -> Job:
    """A job of the task."""
    values = {"task_id": T, "executor": "async", "kwargs": {"handler_id": "h", "method": "m"}, **fields}
    return cast("Job", cast("Any", Job)(**values))


def schedule(name: str = "s", due: datetime | None = NOW, **fields: Any) -> Schedule:
    """A schedule that has been due since `due`."""
    values = {"task_id": T, "trigger": IntervalTrigger(hours=1, start_time=NOW), "job_executor": "async", **fields}
    made: Schedule = cast("Any", Schedule)(id=name, **values)
    made.next_fire_time = due
    return made


def result(item: Schedule, next_fire: datetime | None) -> ScheduleResult:
    """What the scheduler hands back for a schedule that it has processed."""
    made: ScheduleResult = cast("Any", ScheduleResult)(
        schedule_id=item.id,
        task_id=item.task_id,
        trigger=item.trigger,
        last_fire_time=item.next_fire_time,
        next_fire_time=next_fire,
    )
    return made


def kinds(events: list[Event]) -> list[type[Event]]:
    """The types of the events since the last look, in order."""
    found = [type(event) for event in events]
    events.clear()
    return found


def names(schedules: list[Schedule]) -> list[str]:
    """Their ids, sorted."""
    return sorted(item.id for item in schedules)


def test_a_task_is_added_replaced_and_removed(on_store: Stores) -> None:
    """Adding a known id replaces the task; events tell which it was; an unknown id is a TaskLookupError."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_task(task("u", max_running_jobs=1))
        await store.add_task(task("u", max_running_jobs=7))
        assert kinds(events) == [TaskAdded, TaskUpdated]
        assert (await store.get_task("u")).max_running_jobs == 7
        assert [item.id for item in await store.get_tasks()] == [T, "u"]
        await store.remove_task("u")
        assert kinds(events) == [TaskRemoved]
        with pytest.raises(TaskLookupError):
            await store.get_task("u")
        with pytest.raises(TaskLookupError):
            await store.remove_task("u")

    on_store(scene)


def test_a_schedule_comes_back_as_it_was_given(on_store: Stores) -> None:
    """Every field of a schedule survives the store."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        given = schedule(
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
        assert kinds(events) == [ScheduleAdded]

    on_store(scene)


def test_a_taken_id_is_refused_replaced_or_left(on_store: Stores) -> None:
    """The three conflict policies do what their names say, and tell it."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_schedule(schedule(kwargs={"n": 1}), ConflictPolicy.exception)
        with pytest.raises(ConflictingIdError):
            await store.add_schedule(schedule(kwargs={"n": 2}), ConflictPolicy.exception)
        await store.add_schedule(schedule(kwargs={"n": 3}), ConflictPolicy.do_nothing)
        assert [item.kwargs for item in await store.get_schedules()] == [{"n": 1}]
        await store.add_schedule(schedule(kwargs={"n": 4}), ConflictPolicy.replace)
        assert [item.kwargs for item in await store.get_schedules()] == [{"n": 4}]
        assert kinds(events) == [ScheduleAdded, ScheduleUpdated]

    on_store(scene)


def test_schedules_are_found_by_id_and_removed(on_store: Stores) -> None:
    """`get_schedules` gives all, or those that exist among the ids; removing an unknown one is nothing."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        for name in "abc":
            await store.add_schedule(schedule(name), ConflictPolicy.exception)
        assert names(await store.get_schedules()) == ["a", "b", "c"]
        assert names(await store.get_schedules({"a", "c", "x"})) == ["a", "c"]
        kinds(events)
        await store.remove_schedules(["a", "x"])
        assert kinds(events) == [ScheduleRemoved]
        assert names(await store.get_schedules()) == ["b", "c"]

    on_store(scene)


def test_only_due_and_unpaused_schedules_are_acquired_the_earliest_first(on_store: Stores) -> None:
    """Up to the limit, in order of their fire times; neither the future ones, nor finished, nor paused ones."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        later = datetime.now(UTC) + timedelta(hours=1)
        for item in (
            schedule("second", NOW + timedelta(seconds=1)),
            schedule("first", NOW),
            schedule("third", NOW + timedelta(seconds=2)),
            schedule("future", later),
            schedule("finished", None),
            schedule("paused", NOW, paused=True),
        ):
            await store.add_schedule(item, ConflictPolicy.exception)
        taken = await store.acquire_schedules("me", LEASE, 2)
        assert [item.id for item in taken] == ["first", "second"]
        assert [item.id for item in await store.acquire_schedules("you", LEASE, 9)] == ["third"]

    on_store(scene)


def test_a_schedule_is_one_schedulers_until_its_lease_runs_out(on_store: Stores) -> None:
    """Another scheduler gets an acquired schedule after the lease, and not before; its owner gets it again."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_schedule(schedule(), ConflictPolicy.exception)
        assert names(await store.acquire_schedules("me", LEASE, 9)) == ["s"]
        assert names(await store.acquire_schedules("you", LEASE, 9)) == []
        assert names(await store.acquire_schedules("me", SHORT, 9)) == ["s"]
        await pause(SHORT)
        assert names(await store.acquire_schedules("you", LEASE, 9)) == ["s"]

    on_store(scene)


def test_a_lease_can_be_prolonged_by_its_owner_alone(on_store: Stores) -> None:
    """After prolonging, the old end of the lease gives nobody else the schedule or the job."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_schedule(schedule(), ConflictPolicy.exception)
        await store.add_job(job())
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


def test_a_released_schedule_moves_on_and_is_free(on_store: Stores) -> None:
    """Its next and last fire times are those handed back, and the store says when something is due next."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_schedule(schedule("a"), ConflictPolicy.exception)
        [item] = await store.acquire_schedules("me", LEASE, 9)
        next_fire = datetime(2099, 1, 1, tzinfo=UTC)
        kinds(events)
        await store.release_schedules("me", [result(item, next_fire)])
        assert kinds(events) == [ScheduleUpdated]
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

    async def scene(store: DataStore, events: list[Event]) -> None:
        assert await store.get_next_schedule_run_time() is None

    on_store(scene)


def test_a_trigger_keeps_its_state(on_store: Stores) -> None:
    """A trigger goes on where it was, after it has been through the store."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_schedule(schedule(), ConflictPolicy.exception)
        [item] = await store.acquire_schedules("me", LEASE, 9)
        fires = [item.trigger.next(), item.trigger.next()]
        future = datetime.now(UTC) + timedelta(hours=1)
        await store.release_schedules("me", [result(item, future)])
        [again] = await store.get_schedules()
        following = again.trigger.next()
        assert fires[1] is not None
        assert following is not None
        assert abs(following - fires[1] - timedelta(hours=1)) < timedelta(milliseconds=50)

    on_store(scene)


def test_a_job_comes_back_as_it_was_given(on_store: Stores) -> None:
    """Every field of a job survives the store; jobs are found by id, or all of them."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        deadline = datetime(2099, 1, 1, tzinfo=UTC)
        given = job(scheduled_fire_time=NOW, start_deadline=deadline, schedule_id="s", metadata={"a": 1})
        await store.add_job(given)
        await store.add_job(job())
        [found] = await store.get_jobs([given.id, uuid4()])
        assert (found.id, found.kwargs, found.metadata) == (given.id, given.kwargs, {"a": 1})
        assert (found.scheduled_fire_time, found.start_deadline, found.schedule_id) == (NOW, deadline, "s")
        assert found.created_at == given.created_at
        assert len(await store.get_jobs()) == 2
        assert kinds(events) == [JobAdded, JobAdded]

    on_store(scene)


def test_jobs_are_acquired_within_the_limit_of_their_task(on_store: Stores) -> None:
    """At most two at once of a task with that limit; releasing one frees a place."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        for _ in range(3):
            await store.add_job(job())
        kinds(events)
        taken = await store.acquire_jobs("me", LEASE, 9)
        assert len(taken) == 2
        assert kinds(events) == [JobAcquired, JobAcquired]
        assert await store.acquire_jobs("me", LEASE, 9) == []
        await store.release_job("me", taken[0], JobResult.from_job(taken[0], JobOutcome.success))
        assert kinds(events) == [JobReleased]
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        assert len(await store.get_jobs()) == 2

    on_store(scene)


def test_no_more_jobs_are_acquired_than_asked_for(on_store: Stores) -> None:
    """`limit` bounds one round."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        for _ in range(2):
            await store.add_job(job())
        assert len(await store.acquire_jobs("me", LEASE, 1)) == 1

    on_store(scene)


def test_an_acquired_job_is_not_another_schedulers(on_store: Stores) -> None:
    """What one scheduler holds, another does not get."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_job(job())
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        assert await store.acquire_jobs("you", LEASE, 9) == []

    on_store(scene)


def test_a_job_after_its_deadline_is_dropped_as_missed(on_store: Stores) -> None:
    """It is not acquired, is gone, and an event tells why."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        await store.add_job(job(start_deadline=NOW))
        await store.add_job(job())
        kinds(events)
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        [missed] = [event for event in events if isinstance(event, JobReleased)]
        assert missed.outcome is JobOutcome.missed_start_deadline
        assert len(await store.get_jobs()) == 1

    on_store(scene)


def test_cleanup_removes_schedules_that_are_done_and_no_others(on_store: Stores) -> None:
    """A schedule without a next fire time goes once it has no job left."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        trigger = DateTrigger(NOW)
        await store.add_schedule(schedule("done", None, trigger=trigger), ConflictPolicy.exception)
        await store.add_schedule(schedule("busy", None, trigger=trigger), ConflictPolicy.exception)
        await store.add_schedule(schedule("alive", NOW), ConflictPolicy.exception)
        await store.add_job(job(schedule_id="busy"))
        kinds(events)
        await store.cleanup()
        assert kinds(events) == [ScheduleRemoved]
        assert names(await store.get_schedules()) == ["alive", "busy"]
        [last] = await store.acquire_jobs("me", LEASE, 9)
        await store.release_job("me", last, JobResult.from_job(last, JobOutcome.success))
        await store.cleanup()
        assert names(await store.get_schedules()) == ["alive"]

    on_store(scene)


def test_an_unknown_result_is_none(on_store: Stores) -> None:
    """Asking for the result of a job that nobody knows is no error."""

    async def scene(store: DataStore, events: list[Event]) -> None:
        assert await store.get_job_result(uuid4()) is None

    on_store(scene)


async def pause(span: timedelta) -> None:
    """Let a lease of that length run out."""
    await asyncio.sleep(span.total_seconds() * 2)
