"""Jobs wait for a busy handler in the server: as many calls at it as it runs at once, and a true outcome for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.sim.world import World
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.handler_facts import HandlerFacts
from schedule_zero.handler_registry import RegistryManager
from schedule_zero.job_executor import GivenBack, JobCall, JobExecutor, RetryPolicy
from schedule_zero.turns import Turns
from schedule_zero.zmq_handler_base import BaseHandler

ONCE = RetryPolicy(attempts=1)


class Slow(BaseHandler):
    """Takes 0.8 s for each call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs: list[int] = []

    def work(self, n: int) -> int:
        """Note the call, and return after a while."""
        self.runs.append(n)
        time.sleep(0.8)
        return n


def in_world(scene: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scene in the simulation, with a deadline."""

    async def bounded() -> Any:
        async with asyncio.timeout(60.0):
            return await scene()

    with World(seed=3):
        return asyncio.run(bounded())


async def executed(handler: Slow, calls: list[JobCall], *, told: int | None, drain: float = 0.0) -> list[Any]:
    """What becomes of calls that come at once, at a handler that has told that concurrency."""
    log = ExecutionLog(":memory:")
    await log.start()
    registry = RegistryManager()
    executor = JobExecutor(registry, log, concurrency=HandlerFacts(registry).concurrency)
    try:
        registry.register("w", handler.address, handler.methods, incarnation=handler.incarnation, concurrency=told)
        tasks = [asyncio.create_task(executor.run(call)) for call in calls]
        if drain:
            await asyncio.sleep(drain)
            await executor.drain()
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        executor.close()
        await asyncio.to_thread(registry.close)
        await log.close()


def jobs(count: int, **fields: Any) -> list[JobCall]:
    """Calls whose time-out is a little more than one takes."""
    return [JobCall(f"j{n}", "w", "work", {"n": n}, timeout=1.0, policy=ONCE, **fields) for n in range(count)]


@pytest.mark.sim
@pytest.mark.parametrize("once", [False, True])
def test_the_wait_for_a_busy_handler_is_no_time_of_the_call(once: bool) -> None:
    """Ten calls of 0.8 s at a handler that runs two at once: each has its second, and succeeds at its one attempt."""

    async def scene() -> None:
        with Slow("w", concurrency=2) as handler:
            records = await executed(handler, jobs(10, at_most_once=once), told=2)
            assert [(r.outcome, r.result, len(r.attempts)) for r in records] == [
                (Outcome.SUCCESS, n, 1) for n in range(10)
            ]
            assert sorted(handler.runs) == list(range(10))
            assert all(record.attempts[0].duration < 1.0 for record in records)

    in_world(scene)


@pytest.mark.sim
def test_a_call_that_a_busy_handler_has_not_begun_is_not_run_later() -> None:
    """A handler that tells nothing gets all at once: those whose turn does not come in time are said not to have run.

    And so it is: the handler has run those, and only those, that succeeded or timed out.
    """

    async def scene() -> None:
        with Slow("w", concurrency=1) as handler:
            records = await executed(handler, jobs(5), told=None)
            await asyncio.sleep(5.0)
            outcomes = [(record.outcome, record.error) for record in records]
            assert outcomes[:2] == [
                (Outcome.SUCCESS, None),
                (Outcome.TIMEOUT, f"CallTimeout: work to w at {handler.address}: no answer to j1 in 1.000 s"),
            ]
            busy = "HandlerUnavailable: handler 'w' is busy, and has not begun the call in time"
            assert outcomes[2:] == [(Outcome.UNREACHABLE, busy)] * 3
            assert handler.runs == [0, 1]

    in_world(scene)


@pytest.mark.sim
def test_a_deadline_ends_the_wait_for_a_turn() -> None:
    """A job whose deadline comes before its turn has an outcome that says so, and is not called."""

    async def scene() -> None:
        with Slow("w", concurrency=1) as handler:
            first, second = await executed(handler, [*jobs(1), *jobs(2, deadline=0.5)[1:]], told=1)
            assert first.outcome is Outcome.SUCCESS
            why = "handler 'w' was busy with other calls until the deadline"
            assert (second.outcome, second.error) == (Outcome.UNREACHABLE, why)
            assert handler.runs == [0]

    in_world(scene)


@pytest.mark.sim
def test_a_drain_gives_back_what_waits_for_its_turn() -> None:
    """The call under way is waited for; the others have not begun, also those that may run once at most."""

    async def scene() -> None:
        with Slow("w", concurrency=1) as handler:
            results = await executed(handler, jobs(3, at_most_once=True), told=1, drain=0.2)
            assert isinstance(results[0], ExecutionRecord)
            assert [type(result) for result in results[1:]] == [GivenBack] * 2
            assert handler.runs == [0]

    in_world(scene)


@pytest.mark.unit
def test_turns_come_in_order_and_are_not_lost() -> None:
    """Who gives up or is cancelled passes its turn on; a limit that was raised counts from the next turn on."""

    async def scene() -> None:
        limit = {"h": 1}
        turns, order = Turns(lambda handler_id: limit[handler_id]), []
        hold = asyncio.Event()

        async def take(name: str, timeout: float | None = None) -> bool:
            async with turns.turn("h", timeout) as mine:
                if mine:
                    order.append(name)
                    await hold.wait()
                return mine

        first = asyncio.create_task(take("a"))
        await asyncio.sleep(0)
        assert await take("b", 0.01) is False
        cancelled, *rest = [asyncio.create_task(take(name)) for name in "cde"]
        await asyncio.sleep(0)
        assert turns.waiting("h") == 3
        cancelled.cancel()
        await asyncio.wait([cancelled])
        limit["h"] = 2
        last = asyncio.create_task(take("f"))
        await asyncio.sleep(0.01)
        assert order == ["a", "d"]
        hold.set()
        assert await asyncio.gather(first, *rest, last) == [True] * 4
        assert order == ["a", "d", "e", "f"]
        assert await take("g", 0.01) is True

    asyncio.run(asyncio.wait_for(scene(), 20.0))
