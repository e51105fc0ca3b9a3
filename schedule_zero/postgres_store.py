"""The job store on PostgreSQL, shared by several servers.

Who runs a job: a server to which its handler is connected. Each server says every second which handlers are
connected to it (the table `presence`); the jobs of a handler that is connected elsewhere are left to the servers
there, and given back to them. The jobs of one that is connected nowhere are taken by any server after a few
seconds, and end there as they would on a server alone. So a handler is registered with every server that should be
able to call it.

The limits of handlers and schedules hold over all servers together: a round of acquiring locks the tasks that it
takes from, passes over those that another server is taking from, and counts what runs in the table of jobs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from logging import Logger
from typing import Any, Final

from apscheduler import Event, Job, Schedule, TaskAdded, TaskRemoved, TaskUpdated
from apscheduler.abc import EventBroker

from schedule_zero.acquiring import Acquired, Choice
from schedule_zero.brokers import LastingBroker
from schedule_zero.dialect import Session, every, now, select
from schedule_zero.postgres import PostgresDatabase
from schedule_zero.postgres_broker import PostgresBroker
from schedule_zero.postgres_url import parse
from schedule_zero.rows import TASK_COLUMNS, TASK_PREFIX
from schedule_zero.store import Chooser, JobStore, clean
from schedule_zero.store_errors import StoreClosed

__all__ = ["PostgresStore", "build_postgres_store"]

#: Seconds between two looks at what no event has told of: leases that ran out, handlers, jobs, tasks.
WATCH: Final = 1.0
#: Seconds for which a server's word that a handler is connected to it holds.
PRESENT: Final = 5.0
#: Seconds that a job waits for a server to which its handler is connected, before another takes it.
GRACE: Final = 3.0
#: Seconds until what another server was taking is looked at again.
_AGAIN: Final = 0.05


def build_postgres_store(url: str, identity: str) -> PostgresStore:
    """The store for a URL (`postgres_url`); `identity` is this server's name among those that share it."""
    return PostgresStore(PostgresDatabase(parse(url), identity=identity))


class PostgresStore(JobStore):
    """The store of one of several servers; see the module's text."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._postgres = database
        self._shared = PostgresBroker(database)
        self._elsewhere: frozenset[str] = frozenset()
        #: Whether no schedule was to be had when schedules were last acquired.
        self._in_vain = False

    def broker(self) -> LastingBroker:
        """The broker that tells the other servers."""
        return self._shared

    def runs(self, job: Job) -> bool:
        """Whether a stored job is running, here or at another server."""
        return self.holds(job.id) or job.acquired_by not in (None, self._postgres.identity)

    def elsewhere(self, handler_id: str) -> bool:
        """Whether the handler is connected to another server, as of the last look."""
        return handler_id in self._elsewhere

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: Logger) -> None:
        """Take the broker, read the tasks, and watch what the other servers do."""
        await super().start(exit_stack, event_broker, logger)
        changes = {TaskAdded, TaskUpdated, TaskRemoved}
        exit_stack.callback(event_broker.subscribe(self._task_changed, changes).unsubscribe)
        watch = asyncio.create_task(self._watch(), name="store watch")
        exit_stack.callback(watch.cancel)

    async def _task_changed(self, event: Event) -> None:
        if getattr(event, "task_id", None) is not None:
            await self._read_tasks()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            try:
                await self.cleanup()
            except StoreClosed:
                return
            except Exception:
                self._logger.exception("the watch over the store failed; it looks again")
            self._shared.nudge()

    async def cleanup(self) -> None:
        """Give back jobs whose lease has run out, drop finished schedules, say who is connected, read the tasks."""
        held = frozenset(map(str, self._held))
        here = () if self.draining else tuple(sorted(self.connected()))
        server = self._postgres.identity

        def look(c: Session) -> tuple[list[Event], list[Any], frozenset[str]]:
            _say_who_is_here(c, server, here)
            return clean(c, held), select(c, f"SELECT {TASK_COLUMNS} FROM tasks"), _who_is_elsewhere(c, server)

        events, rows, self._elsewhere = await self._db.write(look)
        self._take_tasks(rows)
        await self._publish(*events)

    async def acquire_schedules(self, scheduler_id: str, lease_duration: timedelta, limit: int) -> list[Schedule]:
        """Take up to `limit` due schedules that no other server holds."""
        schedules = await super().acquire_schedules(scheduler_id, lease_duration, limit)
        self._in_vain = not schedules
        return schedules

    async def get_next_schedule_run_time(self) -> datetime | None:
        """When the next schedule is due; after a pause, if it is already and was not to be had.

        Another server is processing it, or stands still in the midst of that, for seconds. APScheduler would ask
        again at once, hundreds of times a second, of a database that all servers share.
        """
        first = await super().get_next_schedule_run_time()
        if self._in_vain and first is not None and first <= datetime.now(UTC):
            await asyncio.sleep(_AGAIN)
        return first

    async def acquire_jobs(self, scheduler_id: str, lease_duration: timedelta, limit: int | None = None) -> list[Job]:
        """Take up to `limit` jobs by `fair_shares`, none over the limits that hold over all servers."""
        jobs = await super().acquire_jobs(scheduler_id, lease_duration, limit)
        if any(job.task_id not in self._tasks for job in jobs):
            await self._read_tasks()  # a task that another server has added
        return jobs

    def _chooser(self, scheduler_id: str, lease: int, limit: int | None) -> Chooser:
        here = Counter(job.task_id for job in self._held.values())
        connected = frozenset(f"{TASK_PREFIX}{handler}" for handler in self.connected())
        limits = {task.id: task.max_running_jobs for task in self._tasks.values()}

        def choose(c: Session) -> Acquired:
            choice = _SharedChoice(
                scheduler_id=scheduler_id,
                lease=lease,
                limit=limit,
                limits=limits,
                by_task=Counter(),
                by_schedule=Counter(),
                here=here,
                starts=self.starts,
                places=self.places,
                server=self._postgres.identity,
                connected=connected,
            )
            chosen = choice.make(c)
            if choice.passed_over:
                loop.call_soon_threadsafe(loop.call_later, _AGAIN, self._shared.nudge)
            return chosen

        loop = asyncio.get_running_loop()
        return choose


@dataclass(kw_only=True)
class _SharedChoice(Choice):
    """A round among several servers."""

    server: str
    connected: frozenset[str]
    #: Whether a task was left out because another server was taking from it.
    passed_over: bool = False

    def _claimable(self, c: Session, waiting: list[str]) -> list[str]:
        if not waiting:
            return []
        elsewhere = {f"{TASK_PREFIX}{handler}" for handler in _who_is_elsewhere(c, self.server)}
        wanted = [
            task for task in waiting if task in self.connected or (task not in elsewhere and _has_waited(c, task))
        ]
        lock = "SELECT id, max_running_jobs FROM tasks WHERE id IN ({}) ORDER BY id FOR UPDATE SKIP LOCKED"
        locked = dict(every(c, lock, wanted))
        self.passed_over = any(task in self.limits and task not in locked for task in wanted)
        self.limits = {**self.limits, **locked}
        running = "SELECT task_id, schedule_id, count(*) FROM jobs WHERE acquired_by IS NOT NULL GROUP BY 1, 2"
        for task, schedule, count in select(c, running):
            self.by_task[task] += count
            if schedule is not None:
                self.by_schedule[schedule] += count
        return [task for task in wanted if task in locked]


def _has_waited(c: Session, task: str) -> bool:
    query = "SELECT created_at FROM jobs WHERE acquired_by IS NULL AND task_id = ? ORDER BY seq LIMIT 1"
    return any(row[0] < now(c) - int(GRACE * 1_000_000) for row in select(c, query, task))


def _who_is_elsewhere(c: Session, server: str) -> frozenset[str]:
    query = "SELECT DISTINCT handler_id FROM presence WHERE server <> ? AND until > ?"
    return frozenset(row[0] for row in select(c, query, server, now(c)))


def _say_who_is_here(c: Session, server: str, handlers: Iterable[str]) -> None:
    present = now(c)
    c.execute("DELETE FROM presence WHERE server = ? OR until < ?", (server, present))
    rows = [(server, handler, present + int(PRESENT * 1_000_000)) for handler in handlers]
    c.executemany("INSERT INTO presence VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
