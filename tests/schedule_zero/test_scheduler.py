"""`KeptScheduler` and the broker that outlives its incarnations."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from apscheduler import AsyncScheduler, Job

from schedule_zero.brokers import LastingBroker
from schedule_zero.rows import EXECUTOR
from schedule_zero.scheduler import KeptScheduler, build_scheduler, handler_task
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store

pytestmark = pytest.mark.unit


async def parts(stack: AsyncExitStack) -> tuple[JobStore, LastingBroker]:
    """A started store and broker, ended with the stack."""
    store, broker = build_store("memory://"), LastingBroker()
    await store.database.start()
    stack.push_async_callback(store.database.close)
    await broker.open(stack)
    return store, broker


def run(scene: Any) -> None:
    """Run a scene in a loop of its own, with a deadline."""
    asyncio.run(asyncio.wait_for(scene(), 20.0))


def test_a_start_that_fails_is_raised_and_not_tried_again() -> None:
    """What keeps the first incarnation from coming up is the caller's to know."""

    async def scene() -> None:
        def build() -> AsyncScheduler:
            raise LookupError("no scheduler")

        kept = KeptScheduler(build)
        with pytest.raises(LookupError, match="no scheduler"):
            await kept.start()
        assert (kept.restarts, kept.is_running) == (0, False)

    run(scene)


def test_jobs_run_in_every_incarnation() -> None:
    """After two deaths the third incarnation runs the job, through the runner and not through the task's
    function.
    """

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            store, broker = await parts(stack)
            ran: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

            async def runner(job: Job) -> None:
                ran.set_result(job)

            built: list[AsyncScheduler] = []

            def build() -> AsyncScheduler:
                built.append(build_scheduler(store, broker, runner, identity="me"))
                return built[-1]

            acquire = store.acquire_jobs

            async def break_twice(*args: Any) -> Any:
                if len(built) < 3:
                    raise OSError("struck")
                return await acquire(*args)

            struck: Any = store
            struck.acquire_jobs = break_twice
            kept = KeptScheduler(build)
            await kept.start()
            await store.add_task(handler_task("h", 1))
            made: Any = Job
            await store.add_job(
                made(task_id="handler:h", executor=EXECUTOR, kwargs={"handler_id": "h", "method": "m"})
            )
            assert (await ran).kwargs["handler_id"] == "h"
            assert (kept.restarts, len(built)) == (2, 3)
            assert kept.last_error == "OSError: struck"
            assert await kept.stop(5.0) is True
            assert kept.is_running is False

    run(scene)


def test_the_same_death_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """As long as no incarnation comes up: then its end is told. Another cause is news, and each has its traceback."""

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            store, broker = await parts(stack)
            strikes = iter([None, OSError("struck"), ValueError("odd"), None])
            dies = asyncio.Event()
            came_up: list[str] = []

            def build() -> AsyncScheduler:
                if (strike := next(strikes)) is not None:
                    raise strike
                came_up.append("up")
                made = build_scheduler(store, broker, lambda _: asyncio.sleep(0), identity="me")
                wait, struck = store.get_next_schedule_run_time, store

                async def die() -> Any:
                    if len(came_up) == 1:
                        await dies.wait()
                        raise OSError("struck")
                    return await wait()

                cast("Any", struck).get_next_schedule_run_time = die
                return made

            kept = KeptScheduler(build)
            await kept.start()
            dies.set()
            while len(came_up) < 2 or not kept.is_running:
                await asyncio.sleep(0.01)
            assert kept.restarts == 3
            await kept.stop(5.0)

    run(scene)
    told = [(record.levelname, record.getMessage(), bool(record.exc_info)) for record in caplog.records]
    assert told == [
        ("ERROR", "the scheduler died and is started again in 0.1 s, and then until it lives", True),
        ("ERROR", "the scheduler died and is started again in 0.4 s, and then until it lives", True),
        ("WARNING", "the scheduler runs again, at attempt 3", False),
    ]
