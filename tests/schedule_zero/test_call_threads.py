"""`CallThreads`: blocking calls beside the event loop, bounded in number, never in the way of the end."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from schedule_zero.call_threads import CallThreads

pytestmark = pytest.mark.unit


def test_answers_and_errors_come_back() -> None:
    """What a call returns or raises reaches its waiter."""

    async def scene() -> None:
        threads = CallThreads("t", 2)
        assert await threads.run(lambda: 5) == 5
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 / 0)
        assert threads.busy == 0
        threads.close()

    asyncio.run(asyncio.wait_for(scene(), 10.0))


def test_no_more_threads_than_allowed_and_none_before_they_are_needed() -> None:
    """Ten calls one after the other share a thread; ten at once get three."""

    async def scene() -> None:
        threads = CallThreads("t", 3)
        assert threads.alive() == 0
        for _ in range(10):
            await threads.run(lambda: None)
        assert threads.alive() == 1
        gate = threading.Event()
        waiting = [asyncio.create_task(threads.run(lambda: gate.wait(5.0))) for _ in range(10)]
        await asyncio.sleep(0)
        assert (threads.alive(), threads.busy) == (3, 10)
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 10
        threads.close()

    asyncio.run(asyncio.wait_for(scene(), 10.0))


def test_only_threads_in_a_call_count_as_working() -> None:
    """Idle threads, ended or not, are not working; one whose waiter has gone is, until its call ends."""

    async def scene() -> None:
        threads = CallThreads("t", 3)
        gates = [threading.Event() for _ in range(3)]
        waiting = [asyncio.create_task(threads.run(partial(gate.wait, 5.0))) for gate in gates]
        await asyncio.sleep(0)
        for gate in gates[1:]:
            gate.set()
        await asyncio.wait(waiting[1:])
        assert (threads.alive(), threads.working()) == (3, 1)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        assert threads.working() == 1
        gates[0].set()
        await threads.run(lambda: None)
        while threads.working():
            await asyncio.sleep(0.001)
        assert threads.alive() == 3
        threads.close()

    asyncio.run(asyncio.wait_for(scene(), 10.0))


def test_a_call_whose_waiter_has_gone_is_not_begun() -> None:
    """A call that still waits for a thread when its answer is no longer wanted never happens."""

    async def scene() -> None:
        threads = CallThreads("t", 1)
        gate = threading.Event()
        called: list[str] = []
        first = threads.submit(lambda: gate.wait(5.0))
        threads.submit(lambda: called.append("unwanted")).cancel()
        gate.set()
        await first
        await threads.run(lambda: called.append("wanted"))
        assert called == ["wanted"]
        threads.close()

    asyncio.run(asyncio.wait_for(scene(), 10.0))


def test_a_waiter_that_gives_up_does_no_harm() -> None:
    """The thread goes on, its late answer is dropped, and the next call is served."""

    async def scene() -> None:
        threads = CallThreads("t", 1)
        gate = threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await threads.run(lambda: gate.wait(5.0))
        gate.set()
        assert await threads.run(lambda: "next") == "next"
        threads.close()

    asyncio.run(asyncio.wait_for(scene(), 10.0))


def test_the_threads_end_when_closed_and_are_daemons_until_then() -> None:
    """Nothing is left after close, and a thread that hangs would not keep the interpreter."""
    names = []

    async def scene() -> CallThreads:
        threads = CallThreads("gone", 1)
        names.append(
            await threads.run(lambda: (threading.current_thread().name, threading.current_thread().daemon))
        )
        threads.close()
        return threads

    asyncio.run(scene())
    assert names == [("call gone 0", True)]
    for thread in threading.enumerate():
        if thread.name == "call gone 0":
            thread.join(5.0)
    assert "call gone 0" not in [thread.name for thread in threading.enumerate()]
