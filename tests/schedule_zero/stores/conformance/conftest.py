"""Every kind of store, for tests of what APScheduler asks of each: its own in memory, as the measure, then all of ours.

Where ours keep more promises than its interface asks for (nothing accepted is abandoned, results lie in the execution
log), the tests for that are in test_promises.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from logging import getLogger
from typing import Any, cast

import pytest
from apscheduler import Event, Job, Schedule, ScheduleResult, Task
from apscheduler.abc import DataStore
from apscheduler.datastores.memory import MemoryDataStore
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker

T = "handler:t"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Heard(list[Event]):
    """The events that a store has published."""

    async def hear(self, event: Event) -> None:
        """Keep one: in the place of a broker's `publish`."""
        self.append(event)

    def kinds(self) -> list[type[Event]]:
        """The types of the events since the last look, in order."""
        found = [type(event) for event in self]
        self.clear()
        return found


class Makers:
    """Makes what is put into a store."""

    @staticmethod
    def task(name: str = T, **fields: Any) -> Task:
        """A task at which two jobs may run."""
        values = {"func": "builtins:print", "job_executor": "async", "max_running_jobs": 2, **fields}
        return cast("Task", cast("Any", Task)(id=name, **values))

    @staticmethod
    def job(**fields: Any) -> Job:
        """A job of the task."""
        values = {"task_id": T, "executor": "async", "kwargs": {"handler_id": "h", "method": "m"}, **fields}
        return cast("Job", cast("Any", Job)(**values))

    @staticmethod
    def schedule(name: str = "s", due: datetime | None = NOW, **fields: Any) -> Schedule:
        """A schedule that has been due since `due`."""
        values = {"task_id": T, "trigger": IntervalTrigger(hours=1, start_time=NOW), "job_executor": "async", **fields}
        made: Schedule = cast("Any", Schedule)(id=name, **values)
        made.next_fire_time = due
        return made

    @staticmethod
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


Scene = Callable[[DataStore, Heard], Awaitable[None]]
Stores = Callable[[Scene], None]


@pytest.fixture
def make() -> type[Makers]:
    """Makes tasks, schedules, jobs and results."""
    return Makers


@pytest.fixture(params=["apscheduler", "memory", "sqlite", "postgres"])
def on_store(request: pytest.FixtureRequest, opened: Callable[..., Any], within: Callable[..., None]) -> Stores:
    """Plays a scene on a started store, with the events that it publishes."""

    async def play(scene: Scene) -> None:
        async with AsyncExitStack() as stack:
            store: DataStore
            if request.param == "apscheduler":
                store = MemoryDataStore()
            else:
                store = await stack.enter_async_context(opened(request.param, "t"))
            broker = LastingBroker()
            await broker.open(stack)
            await store.start(stack, broker, getLogger("test"))
            await store.add_task(Makers.task())
            events = Heard()
            broker.publish = events.hear  # type: ignore[method-assign]
            await scene(store, events)

    return lambda scene: within(lambda: play(scene))
