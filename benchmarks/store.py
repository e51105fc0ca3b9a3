"""S7 - jobs a second through store, scheduler and handler call, durably on SQLite.

Held against APScheduler 4 on its own SQLAlchemy store with SQLite in WAL mode and ``synchronous=FULL``, whose jobs do
nothing. Ours call a handler over ZeroMQ and record their outcome besides. Ours are added by a hundred callers at once,
which is how a server is asked; adding so makes the other side slower, so there one caller adds them one by one.

Run: python benchmarks/store.py
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apscheduler import AsyncScheduler, JobReleased
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.common import Goal, interleaved, show
from harness.mocks.mock_handler import MockHandler
from schedule_zero.requests import RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig

ROUNDS = 3
OURS, PEER = 1500, 150
"""Jobs a round: about as long for both sides."""
LIMIT = 60.0
"""Seconds that one round may take."""


async def nothing() -> None:
    """The job of the bare side."""


@asynccontextmanager
async def bare_store(folder: Path) -> AsyncIterator[SQLAlchemyDataStore]:
    """APScheduler's own store on SQLite, as durable as ours: WAL with ``synchronous=FULL``."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/bare.db")

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection: object, record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    yield SQLAlchemyDataStore(engine)
    await engine.dispose()


async def bare(folder: Path) -> float:
    """Jobs a second of APScheduler alone."""
    done = asyncio.Event()
    released = 0

    def count(_: object) -> None:
        nonlocal released
        released += 1
        if released == PEER:
            done.set()

    async with bare_store(folder) as store, AsyncScheduler(store) as scheduler:
        await scheduler.configure_task("nothing", func=nothing, max_running_jobs=100)
        scheduler.subscribe(count, {JobReleased})
        await scheduler.start_in_background()
        begin = time.perf_counter()
        for _ in range(PEER):
            await scheduler.add_job("nothing")
        async with asyncio.timeout(LIMIT):
            await done.wait()
        took = time.perf_counter() - begin
        await scheduler.stop()
    return PEER / took


async def ours(folder: Path) -> float:
    """Jobs a second of the service, each calling a handler."""
    config = ServiceConfig(database=folder / "ours.db", registry_path=folder / "registry.yaml")
    async with SchedulerService(config) as service:
        with await asyncio.to_thread(_handler, service.registration_address) as handler:
            begin = time.perf_counter()
            slots = asyncio.Semaphore(100)

            async def submit() -> None:
                async with slots:
                    await service.run_now(RunNow(handler_id=handler.name, job_method="work"))

            async with asyncio.timeout(LIMIT):
                await asyncio.gather(*(submit() for _ in range(OURS)))
                while (await service.execution_stats())["total"] < OURS:
                    await asyncio.sleep(0.01)
            return OURS / (time.perf_counter() - begin)


def _handler(address: str) -> MockHandler:
    handler = MockHandler("bench", register_with=address)
    handler.start()
    return handler


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""

    def side(measure: object) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return float(asyncio.run(measure(Path(folder))))  # type: ignore[operator]

    sides = interleaved({"schedule_zero": lambda: side(ours), "bare APScheduler": lambda: side(bare)}, ROUNDS)
    return (
        0
        if show("Durable jobs", "jobs/s", sides, [Goal("S7", "schedule_zero", "bare APScheduler", at_least=5.0)])
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
