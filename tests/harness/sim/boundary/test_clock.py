"""The clocks of `time` move with virtual time, for everybody who is simulated and however they were imported."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import selectors
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from time import monotonic, sleep
from types import ModuleType

import anyio
import pytest

from harness.sim import Livelock, World

CLOCKS = ("monotonic", "perf_counter", "process_time", "thread_time")


@pytest.mark.parametrize("name", CLOCKS)
def test_a_clock_moves_by_what_was_slept(name: str) -> None:
    """Every clock, in seconds and in nanoseconds, moves by exactly the 1.25 s that were slept."""
    with World():
        before = getattr(time, name)(), getattr(time, f"{name}_ns")()
        time.sleep(1.25)
        after = getattr(time, name)(), getattr(time, f"{name}_ns")()

    assert (after[0] - before[0], after[1] - before[1]) == (1.25, 1_250_000_000)


def test_names_imported_before_the_world_are_simulated() -> None:
    """``from time import monotonic, sleep`` of this very module, done long before, acts in virtual time."""
    with World() as world:
        before = monotonic()
        sleep(500)

        assert monotonic() - before == 500
        assert world.elapsed == 500


def test_modules_imported_inside_are_put_right_afterwards() -> None:
    """A module that imports a clock by name inside a world has the real one when the world has ended."""
    real = time.monotonic
    module = ModuleType("imported_inside")
    sys.modules[module.__name__] = module
    try:
        with World():
            exec("from time import monotonic", vars(module))
            assert module.monotonic is not real
        assert module.monotonic is real
    finally:
        del sys.modules[module.__name__]


def test_clock_gettime_agrees() -> None:
    """CLOCK_MONOTONIC is `time.monotonic`, CLOCK_REALTIME is `time.time`."""
    with World():
        time.sleep(7)

        assert time.clock_gettime(time.CLOCK_MONOTONIC) == time.monotonic() == 1007.0
        assert time.clock_gettime_ns(time.CLOCK_BOOTTIME) == 1_007_000_000_000
        assert time.clock_gettime(time.CLOCK_REALTIME) == time.time()


def test_threads_of_the_host_have_real_time() -> None:
    """A thread from before the world measures real time: its sleep of 20 ms takes that, and nothing virtual."""
    asked, go, done = [], _thread.allocate_lock(), _thread.allocate_lock()
    go.acquire()
    done.acquire()

    def outside() -> None:
        go.acquire(timeout=10)
        before = time.monotonic()
        time.sleep(0.02)
        asked.append(time.monotonic() - before)
        done.release()

    thread = threading.Thread(target=outside)
    thread.start()
    with World() as world:
        go.release()
        assert done.acquire(timeout=10)
        elapsed = world.elapsed
    thread.join(10)

    assert elapsed == 0
    assert asked
    assert asked[0] >= 0.02


@pytest.mark.parametrize(("clock", "scale"), [("monotonic", 1), ("time", 1), ("perf_counter_ns", 1_000_000_000)])
def test_waiting_by_reading_a_clock_comes_to_an_end(clock: str, scale: int) -> None:
    """``while clock() < end`` ends: after 20,000 reads in one turn each costs time, first a microsecond, then more."""
    with World() as world:
        read: Callable[[], float] = getattr(time, clock)
        end = read() + 0.00005 * scale
        reads = 0
        while read() < end:
            reads += 1

        assert reads == 20_048
        assert world.elapsed == 0.00005

        end = read() + 2 * scale
        while read() < end:
            reads += 1

        assert reads < 60_000
        assert 2 <= world.elapsed < 2.001


def test_many_reads_of_many_turns_are_free() -> None:
    """A loop with much to do in one instant may read the clock as often as it likes: no time passes for it."""

    async def main() -> None:
        for _ in range(50):
            for _ in range(1_000):
                time.monotonic()
            await asyncio.sleep(0)

    with World() as world:
        asyncio.run(main())
        assert world.elapsed == 0


async def _poll_the_loop(seconds: float) -> int:
    """Turns of the loop that are made until so many seconds are past."""
    loop, turns = asyncio.get_running_loop(), 0
    until = loop.time() + seconds
    while loop.time() <= until:
        turns += 1
        await asyncio.sleep(0)
    return turns


async def _arm_again(seconds: float) -> int:
    """The same with a timer that is due at that very time, and armed again as long as it is not past."""
    loop = asyncio.get_running_loop()
    past: asyncio.Future[int] = loop.create_future()
    until = loop.time() + seconds

    def look(turns: int) -> None:
        if loop.time() > until:
            past.set_result(turns)
        else:
            loop.call_at(until, look, turns + 1)

    loop.call_at(until, look, 1)
    return await past


async def _poll_a_clock(seconds: float) -> int:
    turns, until = 0, time.monotonic() + seconds
    while time.monotonic() <= until:
        turns += 1
        time.sleep(0)  # noqa: ASYNC251 - a thread that polls
    return turns


@pytest.mark.parametrize(
    ("wait", "turns"),
    [(_poll_the_loop, 42_000), (_poll_a_clock, 42_000), (_arm_again, 20_000)],
    ids=["loop", "thread", "timer"],
)
def test_a_loop_that_polls_its_own_clock_comes_to_an_end(
    wait: Callable[[float], Coroutine[None, None, int]], turns: int
) -> None:
    """As a thread that polls `time.monotonic` does: turns at one instant cost time beyond 20,000, and ever more of it,
    so that a second is over after forty thousand."""
    with World() as world:
        made = asyncio.run(wait(1.0))

        assert turns <= made < turns + 1_000
        assert 1.0 < world.elapsed < 1.011


class Cycle:
    """Finalized by the collector alone."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Cycle.alive += 1

    def __del__(self) -> None:
        Cycle.alive -= 1


def test_a_deadline_that_lies_in_the_past_is_waited_for_again_and_again() -> None:
    """What APScheduler does while its one schedule is paused: every turn waits until a moment that is past.

    Virtual time goes on, within a few ten thousand turns, and what the turns leave in cycles does not fill the memory.
    """
    made: list[int] = []

    async def spin() -> None:
        while True:
            with anyio.move_on_after(-1):
                made.append(Cycle().alive)
                await anyio.Event().wait()

    async def main() -> None:
        spinning = asyncio.create_task(spin())
        await asyncio.sleep(3)
        spinning.cancel()

    Cycle.alive = 0
    with World() as world:
        asyncio.run(main())

        assert 3 <= world.elapsed < 3.02
    assert 20_000 < len(made) < 70_000
    assert max(made) < 40_000
    assert made[-1] < len(made) - 10_000


def test_a_loop_that_asks_no_clock_is_a_livelock() -> None:
    """asyncio itself reads the clock in every turn, which is not polling; nor are its time-outs."""

    async def forever() -> None:
        while True:
            async with asyncio.timeout(1.0):
                await asyncio.sleep(0)

    with World(livelock=50_000), pytest.raises(Livelock, match="50000 steps were made without time passing"):
        asyncio.run(forever())


def test_negative_sleeps_are_refused_as_in_reality() -> None:
    """The error of the real `time.sleep`, in its words."""
    with World(), pytest.raises(ValueError, match="sleep length must be non-negative"):
        time.sleep(-1)


def test_sleeping_for_no_time_lets_others_go() -> None:
    """``time.sleep(0)`` gives the baton away, so that a thread that polls does not starve the one it waits for."""
    with World() as world:
        done: list[int] = []
        threading.Thread(target=done.append, args=(1,)).start()
        while not done:
            time.sleep(0)

        assert world.elapsed == 0


def test_a_clock_that_drifts_sleeps_by_its_own_time() -> None:
    """A process whose clock runs 10 % fast sleeps 1.1 s of its own in 1 s of the world."""
    with World() as world:
        world.kernel.current_process.clock.drift = 100_000
        before = time.monotonic()
        time.sleep(1.1)

        assert time.monotonic() - before == pytest.approx(1.1, abs=3e-6)
        assert world.elapsed == pytest.approx(1.0, abs=3e-6)


@pytest.mark.parametrize("inside", [True, False], ids=["sim", "real"])
def test_a_deadline_may_be_waited_for_until_it_is_past(inside: bool) -> None:
    """A loop that polls as long as it is not later than that ends, whatever it polls."""
    ended = []
    with World() if inside else contextlib.nullcontext():
        event, poller = threading.Event(), selectors.DefaultSelector()
        for wait in (time.sleep, event.wait, poller.select):
            end = time.monotonic() + 0.02
            while (left := end - time.monotonic()) >= 0:
                wait(left)
            ended.append(time.monotonic() - end < 1)
        end = time.time() + 0.02
        while time.time() <= end:
            time.sleep(max(0, end - time.time()))
        poller.close()
    assert ended == [True, True, True]
