"""`JobExecutor.drain`: jobs whose call has not been made are given back, calls under way are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schedule_zero.errors import CallTimeout
from schedule_zero.execution_log import Attempt, ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.job_executor import GivenBack, JobCall, JobExecutor, RetryPolicy

pytestmark = pytest.mark.unit

Scene = Callable[[ExecutionLog], Awaitable[ExecutionRecord | None]]
WithLog = Callable[[Scene], ExecutionRecord | None]
Known = Callable[[ExecutionLog], Awaitable[None]]


@pytest.mark.parametrize("once", [False, True])
def test_a_drain_gives_back_what_waits_for_its_handler(once: bool, with_log: WithLog, script_class: Any) -> None:
    """A job whose handler is away is not waited for; the log knows nothing of it, so that it is run as new."""

    async def scene(log: ExecutionLog) -> None:
        looked = asyncio.Event()
        script = script_class()
        executor = JobExecutor(script, log, reachable=lambda _: looked.set() or False)  # type: ignore[func-returns-value]
        waiting = asyncio.create_task(executor.run(JobCall("j", "h", "m", at_most_once=once)))
        await looked.wait()
        await executor.drain()
        with pytest.raises(GivenBack):
            await waiting
        assert (await log.get("j"), script.calls, executor.running) == (None, [], {})

    with_log(scene)


def test_a_drain_gives_back_what_pauses_before_its_next_attempt(
    with_log: WithLog, script_class: Any, until_known: Known
) -> None:
    """A pause of a minute is not waited for; the failed attempt stays known, without an outcome."""

    async def scene(log: ExecutionLog) -> None:
        slow = RetryPolicy(attempts=3, base=60.0, jitter=0.0)
        script = script_class(CallTimeout("1"))
        executor = JobExecutor(script, log)
        pausing = asyncio.create_task(executor.run(JobCall("j", "h", "m", policy=slow)))
        await until_known(log)
        await executor.drain()
        with pytest.raises(GivenBack):
            await pausing
        record = await log.get("j")
        assert record is not None
        assert (record.outcome, len(record.attempts), len(script.calls)) == (None, 1, 1)
        executor.close()

    with_log(scene)


def test_a_drain_waits_for_a_call_under_way_and_begins_no_other(with_log: WithLog, script_class: Any) -> None:
    """The answer of a call under way is recorded; one that waits for a thread, or comes later, is given back."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = script_class(lambda: hold.wait(10.0))
        executor = JobExecutor(script, log, threads=1)
        calling = asyncio.create_task(executor.run(JobCall("j", "h", "m")))
        await asyncio.to_thread(script.called.wait, 10.0)
        queued = asyncio.create_task(executor.run(JobCall("queued", "h", "m")))
        draining = asyncio.create_task(executor.drain())
        await asyncio.sleep(0)
        with pytest.raises(GivenBack):
            await executor.run(JobCall("late", "h", "m"))
        assert not draining.done()
        hold.set()
        await draining
        assert (await calling).outcome is Outcome.SUCCESS
        with pytest.raises(GivenBack):
            await queued
        assert [request_id for *_, request_id in script.calls] == ["j"]
        assert executor.close() == 0

    with_log(scene)


@pytest.mark.parametrize("moment", ["note", "borrow"])
def test_a_drain_before_the_call_takes_back_the_note_of_it(moment: str, with_log: WithLog, script_class: Any) -> None:
    """That a call is about to be made is written down; a drain that then keeps it from being made corrects that."""
    draining: list[asyncio.Task[None]] = []
    borrowed, hold = threading.Event(), threading.Event()

    class Log(ExecutionLog):
        async def record_attempt(self, record: ExecutionRecord) -> None:
            await super().record_attempt(record)
            noted.append(record.attempts)
            if moment == "note" and not draining:
                draining.append(asyncio.create_task(executor.drain()))
                await asyncio.sleep(0)

    class Scarce(script_class):  # type: ignore[misc]
        @contextmanager
        def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Any]:
            borrowed.set()
            hold.wait(10.0)
            yield self

    async def scene(_: ExecutionLog) -> None:
        await log.start()
        running = asyncio.create_task(executor.run(JobCall("j", "h", "m", noted=False)))
        if moment == "borrow":
            await asyncio.to_thread(borrowed.wait, 10.0)
            draining.append(asyncio.create_task(executor.drain()))
            await asyncio.sleep(0)
        hold.set()
        with pytest.raises(GivenBack):
            await running
        await draining[0]
        record = await log.get("j")
        assert record is not None
        assert (script.calls, record.attempts, record.outcome) == ([], (), None)
        assert [len(attempts) for attempts in noted] == [1, 0]
        await log.close()
        executor.close()

    noted: list[tuple[Attempt, ...]] = []
    log, script = Log(":memory:"), Scarce("x")
    executor = JobExecutor(script, log)
    with_log(scene)


@pytest.mark.slow
def test_a_drain_does_not_wait_for_an_answer_of_a_handler_that_went_away(with_log: WithLog, script_class: Any) -> None:
    """A call whose handler is gone is given up after the moment for a farewell, and has no outcome."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = script_class(lambda: hold.wait(10.0))
        executor = JobExecutor(script, log, reachable=lambda _: not script.called.is_set())
        calling = asyncio.create_task(executor.run(JobCall("j", "h", "m")))
        await asyncio.to_thread(script.called.wait, 10.0)
        async with asyncio.timeout(5.0):
            await executor.drain()
        with pytest.raises(GivenBack):
            await calling
        assert await log.get("j") is None
        assert executor.close() == 1
        hold.set()

    with_log(scene)
