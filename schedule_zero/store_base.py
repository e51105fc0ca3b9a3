"""The part of the store that every table shares: the database, the event broker, the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from logging import Logger, getLogger
from typing import Any

from apscheduler import Event, Task, TaskAdded, TaskLookupError, TaskRemoved, TaskUpdated
from apscheduler.abc import DataStore, EventBroker

from schedule_zero.dialect import upsert
from schedule_zero.rows import TASK_COLUMNS, task_of, task_row
from schedule_zero.storage import Storage
from schedule_zero.unreadable import Unreadable, read_rows

_UPSERT = upsert("tasks", TASK_COLUMNS)


class TaskStore(DataStore):
    """Tasks, kept in memory as well: they are few, and APScheduler asks for one with every job."""

    def __init__(self, database: Storage) -> None:
        self._db = database
        self._broker: EventBroker | None = None
        self._logger: Logger = getLogger(__name__)
        self._tasks: dict[str, Task] = {}
        #: The rows that cannot be read, as far as they were met.
        self.unreadable = Unreadable()
        #: While true nothing new is acquired: what runs may end, then the scheduler can stop.
        self.draining = False

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: Logger) -> None:
        """Take the broker and read the tasks; may be called again by the next incarnation of the scheduler."""
        self._broker = event_broker
        self._logger = logger
        await self._read_tasks()

    async def _read_tasks(self) -> None:
        self._take_tasks(await self._db.write(lambda c: c.execute(f"SELECT {TASK_COLUMNS} FROM tasks").fetchall()))

    def _take_tasks(self, rows: Iterable[Sequence[Any]]) -> None:
        tasks = self.unreadable.take("task", read_rows(rows, task_of), self._logger)
        self._tasks = {task.id: task for task in tasks}

    async def _publish(self, *events: Event) -> None:
        if self._broker is not None:
            for event in events:
                await self._broker.publish(event)

    async def add_task(self, task: Task) -> None:
        """Add the task, or put it in the place of the one with its id."""
        row = task_row(task)
        await self._db.write(lambda c: c.execute(_UPSERT, row).rowcount)
        self.unreadable.forget("task", task.id)
        known = task.id in self._tasks
        self._tasks[task.id] = task
        await self._publish(TaskUpdated(task_id=task.id) if known else TaskAdded(task_id=task.id))

    async def remove_task(self, task_id: str) -> None:
        """Remove the task; raises `TaskLookupError`."""
        if task_id not in self._tasks:
            raise TaskLookupError(task_id)
        await self._db.write(lambda c: c.execute("DELETE FROM tasks WHERE id = ?", (task_id,)).rowcount)
        self._tasks.pop(task_id, None)
        await self._publish(TaskRemoved(task_id=task_id))

    async def get_task(self, task_id: str) -> Task:
        """The task; raises `TaskLookupError`."""
        try:
            return self._tasks[task_id]
        except KeyError:
            raise TaskLookupError(task_id) from None

    def has_task_id(self, task_id: str) -> bool:
        """Whether there is a task under this id."""
        return task_id in self._tasks

    def has_task(self, task: Task) -> bool:
        """Whether this very task is there, with the same function and limit."""
        known = self._tasks.get(task.id)
        return known is not None and (known.func, known.max_running_jobs) == (task.func, task.max_running_jobs)

    async def get_tasks(self) -> list[Task]:
        """All tasks by id."""
        return [self._tasks[key] for key in sorted(self._tasks)]
