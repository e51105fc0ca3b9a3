"""The load generator's loop fires its timers between the milliseconds."""

from __future__ import annotations

import asyncio
import os

import pytest

from harness.workload.fine_loop import new_event_loop

pytestmark = pytest.mark.unit


def test_short_timers_are_not_rounded_up_to_a_millisecond() -> None:
    """The best of 50 sleeps of 0.2 ms is over in less than a millisecond, which epoll alone cannot do."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        best = 1.0
        for _ in range(50):
            begin = loop.time()
            await asyncio.sleep(0.0002)
            best = min(best, loop.time() - begin)
        return best

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        best = runner.run(main())

    assert 0.0002 <= best < 0.0009


def test_descriptors_still_wake_it() -> None:
    """A byte in a pipe interrupts a short wait and a long one."""

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        got: list[bytes] = []
        for delay in (0.005, 5.0):
            read, write = os.pipe()
            arrived = loop.create_future()
            loop.add_reader(read, arrived.set_result, None)
            loop.call_soon(os.write, write, b"x")
            async with asyncio.timeout(delay + 5.0):
                await arrived
            loop.remove_reader(read)
            got.append(os.read(read, 1))
            os.close(read)
            os.close(write)
        return got

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(main()) == [b"x", b"x"]
