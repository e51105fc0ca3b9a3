"""`Unreadable`: every row that was passed over is known, and no more are logged than anybody reads."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from apscheduler import ConflictPolicy, Schedule
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker
from schedule_zero.scheduler import handler_task, task_id
from schedule_zero.store import SqliteStore
from schedule_zero.stores import build_store
from schedule_zero.unreadable import Reading, Unreadable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 10_003


class Lines(logging.Handler):
    """Keeps what is logged to its own logger, which tells nobody else: a failure need not print ten thousand lines."""

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.Logger("test")
        self.logger.addHandler(self)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.told.append(record.getMessage())


def wrong(count: int) -> Reading[str]:
    """What reading so many rows came to of which none could be read."""
    return Reading(wrong={f"row{n:05}": "ValueError: no" for n in range(count)})


@pytest.mark.unit
def test_ten_thousand_rows_are_logged_one_by_one_and_all_are_known() -> None:
    """That there are more is one line; health counts them all, and names five."""
    unreadable, lines = Unreadable(), Lines()
    for _ in range(2):
        assert unreadable.take("job", wrong(MANY), lines.logger) == []
    count, last = len(lines.told), lines.told[-1]
    assert count == 10_001
    assert last == "more than 10000 stored rows cannot be read; of the others only the number is told"
    known = len(unreadable.keys("job"))
    assert (known, unreadable.found, unreadable.counts()) == (10_003, 10_003, {"job": 10_003})
    assert unreadable.describe() == (
        "passed over, as they cannot be read: job 'row00000', job 'row00001', job 'row00002', job 'row00003',"
        " job 'row00004', and 9998 more; the log says why"
    )


@pytest.mark.unit
def test_a_row_that_was_not_told_of_is_not_told_to_be_well() -> None:
    """Of those in the log it is said that they can be read again, of the others nothing."""
    unreadable, before, after = Unreadable(), Lines(), Lines()
    unreadable.take("job", wrong(MANY), before.logger)
    unreadable.take("job", Reading(right=["row00001", "row10002"]), after.logger)
    assert after.told == ["the stored job 'row00001' can be read again"]
    assert unreadable.counts() == {"job": 10_001}


@pytest.mark.integration
@pytest.mark.anyio
async def test_the_scheduler_waits_for_what_can_be_read_however_many_are_passed_over() -> None:
    """More than ten thousand schedules that are due and cannot be read do not keep it awake."""
    async with AsyncExitStack() as stack:
        store = await started(stack)
        made: Schedule = cast("Any", Schedule)(
            id="bad", task_id=task_id("h"), trigger=IntervalTrigger(hours=1, start_time=NOW), job_executor="async"
        )
        made.next_fire_time = NOW
        await store.add_schedule(made, ConflictPolicy.exception)
        await store.database.write(multiply)
        assert await store.acquire_schedules("me", timedelta(seconds=30), 100) == []
        due = await store.get_next_schedule_run_time()
        assert due is not None
        assert 5.0 < (due - datetime.now(UTC)).total_seconds() < 60.0


async def started(stack: AsyncExitStack) -> SqliteStore:
    """A store in memory, with the handler `h`."""
    broker, store = LastingBroker(), build_store("memory")
    assert isinstance(store, SqliteStore)
    await broker.open(stack)
    await store.database.start()
    stack.push_async_callback(store.database.close)
    await store.start(stack, broker, Lines().logger)
    await store.add_task(handler_task("h", 3))
    return store


def multiply(c: Any) -> None:
    """Make one schedule many, of which none can be read."""
    c.execute('UPDATE schedules SET "trigger" = ?', ("no trigger",))
    [row] = c.execute("SELECT * FROM schedules").fetchall()
    marks = ", ".join("?" * len(row))
    c.executemany(f"INSERT INTO schedules VALUES ({marks})", [(f"bad{n}", *row[1:]) for n in range(MANY)])
