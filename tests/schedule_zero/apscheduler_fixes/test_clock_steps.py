"""A clock that is set, or a machine that slept, makes no schedule late (in virtual time)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler import ConflictPolicy, Job, Schedule
from apscheduler.triggers.date import DateTrigger

from schedule_zero.apscheduler_fixes import clock_steps
from schedule_zero.apscheduler_fixes.clock_steps import watch_clocks
from schedule_zero.brokers import LastingBroker
from schedule_zero.rows import EXECUTOR
from schedule_zero.scheduler import KeptScheduler, build_scheduler, handler_task, task_id
from schedule_zero.stores import build_store

pytestmark = [pytest.mark.unit, pytest.mark.sim]


async def fired(world: Any, *, due: float, step: float, jitter: bool = False) -> tuple[float, float]:
    """How late, by the wall clock and by the monotonic one (seconds), a schedule fires that is due in `due` seconds,
    when the clock is set by `step` after two seconds.
    """
    async with AsyncExitStack() as stack:
        store, broker = build_store("memory://"), LastingBroker()
        await store.database.start()
        stack.push_async_callback(store.database.close)
        await broker.open(stack)
        loop = asyncio.get_running_loop()
        ran: asyncio.Future[tuple[datetime, float]] = loop.create_future()

        async def runner(job: Job) -> None:
            ran.set_result((datetime.now(UTC), loop.time()))

        kept = KeptScheduler(lambda: build_scheduler(store, broker, runner, identity="me"))
        await kept.start()
        await store.add_task(handler_task("h", 1))
        at, begun = datetime.now(UTC) + timedelta(seconds=due), loop.time()
        made: Any = Schedule
        schedule = made(
            id="s", task_id=task_id("h"), trigger=DateTrigger(at), job_executor=EXECUTOR,
            max_jitter=timedelta(seconds=1) if jitter else None,
        )  # fmt: skip
        schedule.next_fire_time = schedule.trigger.next()
        await store.add_schedule(schedule, ConflictPolicy.exception)
        await asyncio.sleep(2.0)
        world.kernel.current_process.clock.offset += round(step * 1e6)
        wall, mono = await asyncio.wait_for(ran, 7200.0)
        await kept.stop(1.0)
        return (wall - at).total_seconds(), mono - begun


@pytest.mark.parametrize("jitter", [False, True])
def test_a_clock_set_forward_makes_nothing_late(sim_world: Any, jitter: bool) -> None:
    """Due in an hour, and the clock jumps an hour and ten minutes: it runs within a second of that, not 70 minutes
    later.
    """
    late, waited = asyncio.run(fired(sim_world, due=3600.0, step=4200.0, jitter=jitter))

    assert 600.0 <= late + 2.0 <= 604.0
    assert waited < 4.5


def test_a_clock_set_back_makes_nothing_early(sim_world: Any) -> None:
    """Due in a minute, and the clock is set back by ten: it runs when the clock shows its time."""
    late, waited = asyncio.run(fired(sim_world, due=60.0, step=-600.0))

    assert 0.0 <= late < 1.1
    assert 659.0 < waited < 662.0


def test_who_could_not_be_told_is_told_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The store is locked when the clock is set: the step is not forgotten, and nothing ends by it."""
    told: list[float] = []
    apart = iter([0.0, 5.0, 5.0, 5.0])

    async def stepped(seconds: float) -> None:
        told.append(seconds)
        if len(told) == 1:
            raise OSError("the store is locked")

    async def scene() -> None:
        watch = asyncio.create_task(watch_clocks(stepped, every=0.001))
        while not watch.done():
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="StopIteration"):  # the end of the clock that is played
            await watch

    monkeypatch.setattr(clock_steps, "_apart", lambda: next(apart))
    asyncio.run(scene())
    assert told == [5.0, 5.0]
    assert "nobody was told that the clock was set; that is tried again" in caplog.text
