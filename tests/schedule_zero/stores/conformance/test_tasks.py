"""Tasks, in every data store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from apscheduler import (
    TaskAdded,
    TaskLookupError,
    TaskRemoved,
    TaskUpdated,
)
from apscheduler.abc import DataStore

pytestmark = pytest.mark.integration

T = "handler:t"
Scene = Callable[[DataStore, Any], Awaitable[None]]
Stores = Callable[[Scene], None]


def test_a_task_is_added_replaced_and_removed(on_store: Stores, make: Any) -> None:
    """Adding a known id replaces the task; events tell which it was; an unknown id is a TaskLookupError."""

    async def scene(store: DataStore, events: Any) -> None:
        await store.add_task(make.task("u", max_running_jobs=1))
        await store.add_task(make.task("u", max_running_jobs=7))
        assert events.kinds() == [TaskAdded, TaskUpdated]
        assert (await store.get_task("u")).max_running_jobs == 7
        assert [item.id for item in await store.get_tasks()] == [T, "u"]
        await store.remove_task("u")
        assert events.kinds() == [TaskRemoved]
        with pytest.raises(TaskLookupError):
            await store.get_task("u")
        with pytest.raises(TaskLookupError):
            await store.remove_task("u")

    on_store(scene)
