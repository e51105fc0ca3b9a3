"""The tasks of the store: known at once, kept over restarts, announced when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from logging import getLogger
from pathlib import Path

import pytest
from apscheduler import Event, TaskLookupError

from schedule_zero.brokers import LastingBroker
from schedule_zero.scheduler import handler_task
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store

pytestmark = pytest.mark.unit


@asynccontextmanager
async def opened(folder: Path, heard: list[str]) -> AsyncIterator[JobStore]:
    """A started store; the names of its events go to `heard`."""
    store = build_store(f"sqlite:///{folder}/jobs.db")
    async with AsyncExitStack() as stack:
        await store.database.start()
        stack.push_async_callback(store.database.close)
        broker = LastingBroker()
        await broker.open(stack)

        def hear(event: Event) -> None:
            heard.append(f"{type(event).__name__} {getattr(event, 'task_id', '')}")

        broker.subscribe(hear)
        await store.start(stack, broker, getLogger("test"))
        yield store


def test_tasks_are_kept_changed_and_removed(tmp_path: Path) -> None:
    """A task is there after a restart with its newest limit, in order of ids, and not after its removal."""
    heard: list[str] = []

    async def scene() -> None:
        async with opened(tmp_path, heard) as store:
            for name, limit in (("b", 2), ("a", 1), ("b", 3)):
                await store.add_task(handler_task(name, limit))
            assert store.has_task(handler_task("b", 3))
            assert not store.has_task(handler_task("b", 2))
        async with opened(tmp_path, heard) as store:
            tasks = [(task.id, task.max_running_jobs) for task in await store.get_tasks()]
            assert tasks == [("handler:a", 1), ("handler:b", 3)]
            assert (await store.get_task("handler:a")).max_running_jobs == 1
            await store.remove_task("handler:a")
            assert (store.has_task_id("handler:a"), store.has_task_id("handler:b")) == (False, True)
        async with opened(tmp_path, heard) as store:
            assert [task.id for task in await store.get_tasks()] == ["handler:b"]

    asyncio.run(scene())
    assert heard == [
        "TaskAdded handler:b",
        "TaskAdded handler:a",
        "TaskUpdated handler:b",
        "TaskRemoved handler:a",
    ]


def test_a_task_that_is_not_there(tmp_path: Path) -> None:
    """Looking it up and removing it are errors that name it."""

    async def scene() -> None:
        async with opened(tmp_path, []) as store:
            with pytest.raises(TaskLookupError, match="handler:x"):
                await store.get_task("handler:x")
            with pytest.raises(TaskLookupError, match="handler:x"):
                await store.remove_task("handler:x")

    asyncio.run(scene())
