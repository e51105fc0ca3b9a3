"""Unmodified programs on APScheduler, anyio and aiosqlite run in virtual time, exactly, the same every time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler import AsyncScheduler, JobAcquired, Scheduler
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from harness.sim import World

DAY = 24 * 3600
START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(24)]


class Job:
    """A job that takes 1.5 s, and the times at which it began and ended."""

    def __init__(self) -> None:
        self.began: list[datetime] = []
        self.ended: list[datetime] = []

    def blocking(self) -> None:
        """For workers."""
        self.began.append(datetime.now(UTC))
        time.sleep(1.5)
        self.ended.append(datetime.now(UTC))

    async def awaiting(self) -> None:
        """For the loop."""
        self.began.append(datetime.now(UTC))
        await asyncio.sleep(1.5)
        self.ended.append(datetime.now(UTC))


async def asynchronous(call: Callable[[], Awaitable[None] | None], executor: str) -> None:
    """A day of an hourly schedule under AsyncScheduler."""
    async with AsyncScheduler(identity="one") as scheduler:
        await scheduler.add_schedule(call, IntervalTrigger(hours=1), id="hourly", job_executor=executor)
        await scheduler.start_in_background()
        await asyncio.sleep(DAY - 1)
        await scheduler.stop()


def synchronous(call: Callable[[], None]) -> None:
    """A day of an hourly schedule under Scheduler, which keeps its loop in a portal's thread."""
    with Scheduler(identity="one") as scheduler:
        scheduler.add_schedule(call, IntervalTrigger(hours=1), id="hourly")
        scheduler.start_in_background()
        time.sleep(DAY - 1)
        scheduler.stop()


async def stored(url: str, make_engine: Callable[[str], Any]) -> list[datetime]:
    """Six hours of an hourly schedule whose store is a SQLite file."""
    began: list[datetime] = []
    async with AsyncScheduler(SQLAlchemyDataStore(make_engine(url)), identity="one") as scheduler:
        scheduler.subscribe(lambda event: began.append(event.timestamp), JobAcquired)
        await scheduler.add_schedule(time.sleep, IntervalTrigger(hours=1), args=[1.5], id="hourly")
        await scheduler.start_in_background()
        await asyncio.sleep(6 * 3600 - 1)
        await scheduler.stop()
    return began


@pytest.mark.parametrize(
    ("driver", "make_engine"), [("sqlite+aiosqlite", create_async_engine), ("sqlite", create_engine)]
)
def test_a_store_in_a_file(driver: str, make_engine: Callable[[str], Any], tmp_path: Path) -> None:
    """SQLAlchemy, with aiosqlite's thread or anyio's workers: waiting for the file costs virtual time."""
    histories = []
    for number in range(2):
        with World(1) as world:
            began = asyncio.run(stored(f"{driver}:///{tmp_path}/{number}.db", make_engine))
        histories.append((began, world.digest))

    assert histories[0] == histories[1]
    lateness = [began - hour for began, hour in zip(histories[0][0], HOURS[:6], strict=True)]
    assert all(timedelta() <= late < timedelta(milliseconds=20) for late in lateness)


def day(kind: str, seed: int) -> tuple[Job, str]:
    """Run a day; the job with its times, and the digest of the history."""
    job = Job()
    with World(seed) as world:
        if kind == "portal":
            synchronous(job.blocking)
        else:
            call: Any = job.awaiting if kind == "async" else job.blocking
            asyncio.run(asynchronous(call, kind))
    return job, world.digest


@pytest.mark.parametrize("kind", ["async", "threadpool", "portal"])
def test_an_hourly_job_fires_exactly(kind: str) -> None:
    """APScheduler 4 fires 24 times a day on the microsecond: jobs that await, in workers, behind a portal."""
    job, _ = day(kind, seed=1)

    assert job.began == HOURS
    assert job.ended == [hour + timedelta(seconds=1.5) for hour in HOURS]


@pytest.mark.parametrize("kind", ["async", "threadpool", "portal"])
def test_one_seed_has_one_history(kind: str) -> None:
    """The second run of a seed has the digest of the first, in the same interpreter, after other worlds."""
    assert day(kind, seed=7)[1] == day(kind, seed=7)[1]


@pytest.mark.parametrize(("kind", "differ"), [("async", False), ("threadpool", True), ("portal", True)])
def test_seeds_differ_where_threads_race(kind: str, differ: bool) -> None:
    """Seeds change who goes first among threads; a program of one thread has one history whatever the seed."""
    digests = {day(kind, seed)[1] for seed in range(3)}

    assert (len(digests) > 1) is differ
