"""S8 - how long after it was accepted a job starts, on an idle service with a durable SQLite store.

From the call that adds a job to the first line of what it runs. Ours runs it at a handler over ZeroMQ; the handler
writes down the clock when the method begins, in the same process, so that both sides read one clock. The peer is
APScheduler 4 on its own SQLAlchemy store, with SQLite in WAL mode and ``synchronous=FULL``, whose job is a function in
the scheduler's process.

Run: python benchmarks/store_latency.py
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apscheduler import AsyncScheduler

from benchmarks.common import Goal, interleaved, show
from benchmarks.store import bare_store
from schedule_zero.requests import RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

ROUNDS = 5
JOBS = 200
"""Jobs a round, one after the other, each on an idle service."""
LIMIT = 60.0
"""Seconds that one round may take."""


class Clock(BaseHandler):
    """A handler that tells when its method begins."""

    started: Callable[[], None]

    def work(self) -> None:
        """The job."""
        self.started()


async def one_by_one(add: Callable[[], Awaitable[object]], started: asyncio.Event, begun: list[float]) -> list[float]:
    """The seconds between adding a job and its start, for each of `JOBS`."""
    taken = []
    pauses = random.Random(8)
    for _ in range(JOBS):
        started.clear()
        asked = time.perf_counter()
        await add()
        async with asyncio.timeout(LIMIT):
            await started.wait()
        taken.append(begun[-1] - asked)
        # Idle, and not in step with anything.
        await asyncio.sleep(pauses.uniform(0.005, 0.015))
    return taken


async def bare(folder: Path) -> list[float]:
    """APScheduler alone."""
    started, begun = asyncio.Event(), []

    async def work() -> None:
        begun.append(time.perf_counter())
        started.set()

    async with bare_store(folder) as store, AsyncScheduler(store) as scheduler:
        await scheduler.configure_task("work", func=work, max_running_jobs=100)
        await scheduler.start_in_background()
        taken = await one_by_one(lambda: scheduler.add_job("work"), started, begun)
        await scheduler.stop()
    return taken


async def ours(folder: Path) -> list[float]:
    """The service and a handler."""
    started, begun = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def tell() -> None:
        begun.append(time.perf_counter())
        loop.call_soon_threadsafe(started.set)

    config = ServiceConfig(database=folder / "ours.db", registry_path=folder / "registry.yaml")
    async with SchedulerService(config) as service:
        handler = Clock("clock", server_address=service.registration_address)
        handler.started = tell
        await asyncio.to_thread(handler.start)
        try:
            async with asyncio.timeout(LIMIT):
                while not handler.is_registered:
                    await asyncio.sleep(0.01)
            request = RunNow(handler_id="clock", job_method="work")
            return await one_by_one(lambda: service.run_now(request), started, begun)
        finally:
            await asyncio.to_thread(handler.stop, 2.0)


def p99(values: list[float]) -> float:
    """The time that 99 of 100 stay below, in milliseconds."""
    return 1000 * statistics.quantiles(values, n=100)[98]


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""

    def side(measure: Callable[[Path], Awaitable[list[float]]]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return p99(asyncio.run(measure(Path(folder))))  # type: ignore[arg-type]

    sides = interleaved({"schedule_zero": lambda: side(ours), "bare APScheduler": lambda: side(bare)}, ROUNDS)
    goals = [Goal("S8", "schedule_zero", "bare APScheduler", at_most=1.3)]
    return 0 if show("Start latency of run_now, p99, idle", "ms", sides, goals) else 1


if __name__ == "__main__":
    sys.exit(main())
