"""Whatever stands in a row of the store, the rows beside it are found, and nothing fails."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from logging import getLogger
from typing import Any, cast

import pytest
from apscheduler import ConflictPolicy, Job, JobOutcome, JobResult, Schedule
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from schedule_zero.brokers import LastingBroker
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.scheduler import handler_task, task_id
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store
from schedule_zero.waiting_jobs import page_of_jobs

pytestmark = pytest.mark.unit

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HANDLER = {"handler_id": "h", "method": "m"}
#: SQLite keeps a value of any type in any column.
VALUES = st.one_of(
    st.none(),
    st.sampled_from([0, 1, -1, 5, 2**31, 2**62, -(2**62), 253402300800 * 10**6, 0.5, float("inf"), -1e300]),
    st.sampled_from(
        ["", "{}", "[]", "null", "7", '"x"', '{"a": 1}', '[["a", 1]]', '{"max_running_jobs": -1}', "async"]
    ),
    st.text(max_size=5),
    st.binary(max_size=5),
)
COLUMNS = {
    "schedules": (
        "id", "task_id", '"trigger"', "kwargs", "paused", '"coalesce"', "misfire_grace", "max_jitter", "job_executor",
        "metadata", "last_fire", "next_fire", "acquired_by", "acquired_until",
    ),
    "jobs": (
        "id", "task_id", "kwargs", "schedule_id", "scheduled_fire", "jitter", "start_deadline", "job_executor",
        "metadata", "created_at", "acquired_by", "acquired_until",
    ),
    "tasks": ("func", "job_executor", "max_running_jobs", "misfire_grace", "metadata"),
    "executions": (
        "job_id", "schedule_id", "handler_id", "method", "scheduled_for", "accepted_at", "started_at", "ended_at",
        "attempts", "outcome", "error", "result",
    ),
}  # fmt: skip
DAMAGE = st.sampled_from([(table, column) for table, columns in COLUMNS.items() for column in columns])


def run(scene: Callable[[JobStore, AsyncExitStack], Awaitable[None]]) -> None:
    """Play a scene on a store in memory."""

    async def play() -> None:
        async with asyncio.timeout(20.0), AsyncExitStack() as stack:
            store = build_store("memory://")
            await store.database.start()
            stack.push_async_callback(store.database.close)
            await begin(store, stack)
            for handler in ("h", "other"):
                await store.add_task(handler_task(handler, 3))
            await scene(store, stack)

    asyncio.run(play())


async def begin(store: JobStore, stack: AsyncExitStack) -> None:
    """What each incarnation of the scheduler does first."""
    broker = LastingBroker()
    await broker.open(stack)
    await store.start(stack, broker, getLogger("test"))
    await store.reap_abandoned_jobs("me")


def schedule(name: str, handler: str) -> Schedule:
    """A schedule that is due."""
    trigger = IntervalTrigger(hours=1, start_time=NOW)
    values = {"task_id": task_id(handler), "trigger": trigger, "job_executor": "async", "kwargs": HANDLER}
    made: Schedule = cast("Any", Schedule)(id=name, **values)
    made.next_fire_time = NOW
    return made


def job(handler: str) -> Job:
    """A job that waits."""
    return cast("Job", cast("Any", Job)(task_id=task_id(handler), executor="async", kwargs=HANDLER))


def record(name: str) -> ExecutionRecord:
    """An execution that has ended."""
    return ExecutionRecord(job_id=name, handler_id="h", method="m", outcome=Outcome.SUCCESS, ended_at=NOW)


@settings(deadline=None)
@given(damages=st.lists(st.tuples(DAMAGE, VALUES), min_size=1, max_size=4))
def test_the_rows_beside_any_row_are_found(damages: list[tuple[tuple[str, str], Any]]) -> None:
    """Of a bad and a good schedule, job, task and record, with anything in the bad ones, the good ones are served."""

    async def scene(store: JobStore, stack: AsyncExitStack) -> None:
        log = ExecutionLog(store.database)
        for name, handler in (("bad", "h"), ("good", "other")):
            await store.add_schedule(schedule(name, handler), ConflictPolicy.exception)
            await log.record_outcome(record(name))
        bad, good = job("h"), job("other")
        for each in (bad, good):
            await store.add_job(each)
        for (table, column), value in damages:
            await damage(store, table, column, value, str(good.id))
        await begin(store, stack)
        assert "good" in {item.id for item in await store.get_schedules()}
        assert "good" in {item.id for item in (await store.page_schedules()).items}
        assert "good" in {item.id for item in await store.next_schedules(10)}
        assert "good" in {item.id for item in await store.acquire_schedules("me", LEASE, 100)}
        await store.count_schedules()
        await store.get_next_schedule_run_time()
        await store.clocks_parted(5.0)
        assert good.id in {item.id for item in await store.get_jobs()}
        assert good.id in {item.id for item in (await store.page_jobs()).items}
        assert str(good.id) in {view.job_id for view in (await page_of_jobs(store, {})).items}
        taken = await store.acquire_jobs("me", LEASE, 10)
        assert good.id in {item.id for item in taken}
        await store.cleanup()
        for each in taken:
            await store.release_job("me", each, JobResult.from_job(each, JobOutcome.success))
        assert good.id not in {item.id for item in await store.get_jobs()}
        assert "good" in {item.job_id for item in await log.query()}
        await log.errors()
        await log.stats()
        store.unreadable.describe()

    run(scene)


async def damage(store: JobStore, table: str, column: str, value: Any, good: str) -> None:
    """Put a value into the bad rows of a table, if its constraints let it in."""
    which = {
        "schedules": "id IS NOT 'good'",
        "jobs": f"id IS NOT '{good}'",
        "tasks": "id = 'handler:h'",
        "executions": "job_id IS NOT 'good'",
    }[table]
    with contextlib.suppress(sqlite3.IntegrityError):  # a value that cannot even be stored there
        await store.database.write(lambda c: c.execute(f"UPDATE {table} SET {column} = ? WHERE {which}", (value,)))
