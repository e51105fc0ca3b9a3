"""The event loop waits in virtual time, exactly, keeps asyncio's own order, and watches what the world made."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from harness.sim import Deadlock, NotSimulated, World
from harness.sim.loop import SimLoop


async def loop_now() -> tuple[type, float]:
    """Which loop runs, and what time it shows."""
    loop = asyncio.get_running_loop()
    return type(loop), loop.time()


def portal() -> Any:
    """Through a portal of anyio, in another thread."""
    with anyio.from_thread.start_blocking_portal() as link:
        return link.call(loop_now)


def tornado() -> Any:
    """Through Tornado's loop."""
    return IOLoop(make_current=False).run_sync(loop_now)


def by_class() -> Any:
    """A loop made by naming asyncio's class."""
    loop = asyncio.SelectorEventLoop()
    try:
        return loop.run_until_complete(loop_now())
    finally:
        loop.close()


@pytest.mark.parametrize(
    "run",
    [
        lambda: asyncio.run(loop_now()),
        lambda: anyio.run(loop_now),
        lambda: asyncio.Runner().run(loop_now()),
        portal,
        tornado,
        by_class,
    ],
    ids=["asyncio", "anyio", "runner", "portal", "tornado", "class"],
)
def test_every_way_to_a_loop_leads_to_a_simulated_one(run: Callable[[], Any]) -> None:
    """asyncio, anyio, portals, Tornado and the class itself all give the loop that shows virtual time."""
    with World():
        time.sleep(5)

        assert run() == (SimLoop, 1005.0)


def test_afterwards_loops_are_real() -> None:
    """The next loop after a world is asyncio's."""
    with World():
        pass

    assert asyncio.run(loop_now())[0] is not SimLoop


@settings(deadline=None, max_examples=60)  # real milliseconds depend on who else uses the machine
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.floats(0, 1e5))
def test_no_timer_is_early_and_none_is_late(delays: list[float], start: float) -> None:
    """A timer fires on the first microsecond not before its time, and the loop shows it."""
    fired: list[tuple[float, float]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def note(when: float) -> None:
            fired.append((when, loop.time()))

        for delay in delays:
            when = loop.time() + delay
            loop.call_at(when, note, when)
        await asyncio.sleep(max(delays) + 1)

    with World():
        time.sleep(start)
        asyncio.run(main())

    assert len(fired) == len(delays)
    assert all(when <= now < when + 1.001e-6 for when, now in fired)


@pytest.mark.parametrize("drift", [-200_000, 50, 300_000])
def test_timers_go_by_the_process_s_clock(drift: int) -> None:
    """With a clock that runs fast or slow a timer fires at its own time, and time passes: no endless re-arming."""
    with World(livelock=1000) as world:
        world.kernel.current_process.clock.drift = drift
        start = time.monotonic()
        asyncio.run(asyncio.sleep(100.123456))

        assert time.monotonic() - start == pytest.approx(100.123456, abs=4e-6)
        assert world.elapsed == pytest.approx(100.123456 / (1 + drift / 1e6), abs=4e-6)


def test_anyio_s_deadlines_end() -> None:
    """move_on_after, which re-arms its timer while the loop shows less than the deadline, is late by a microsecond."""

    async def main() -> list[float]:
        loop, ends = asyncio.get_running_loop(), []
        for n in range(1, 200):
            start = loop.time()
            with anyio.move_on_after(n * 0.1) as scope:
                await anyio.sleep_forever()
            assert scope.cancelled_caught
            ends.append(loop.time() - start - n * 0.1)
        return ends

    with World(livelock=1000):
        ends = asyncio.run(main())

    assert all(-1e-9 < late < 1.1e-6 for late in ends)


def test_a_sleep_for_ever_is_a_deadlock() -> None:
    """When all that is left is anyio.sleep_forever, the world says so instead of counting days for ever."""
    with World() as world:
        with pytest.raises(Deadlock, match="asyncio events"):
            anyio.run(anyio.sleep_forever)
        assert world.elapsed == 0


def test_callbacks_keep_their_order() -> None:
    """Whatever the seed, callbacks of one loop run in the order in which they were scheduled, from threads as well."""

    async def main() -> list[int]:
        loop, order = asyncio.get_running_loop(), list[int]()
        for n in range(20):
            loop.call_soon(order.append, n)

        def other() -> None:
            for n in range(20, 40):
                loop.call_soon_threadsafe(order.append, n)

        thread = threading.Thread(target=other)
        thread.start()
        while len(order) < 40:
            await asyncio.sleep(0)
        return order

    for seed in range(5):
        with World(seed):
            assert asyncio.run(main()) == list(range(40))


def test_a_thread_wakes_a_waiting_loop() -> None:
    """call_soon_threadsafe ends a wait without a deadline, at the virtual time of the call."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def later() -> None:
            time.sleep(42)
            loop.call_soon_threadsafe(future.set_result, None)

        threading.Thread(target=later).start()
        await future
        return loop.time()

    with World():
        assert asyncio.run(main()) == 1042.0


def test_the_order_of_racing_threads_depends_on_the_seed() -> None:
    """Two workers that end in the same instant reach their loop in either order, by the seed."""

    async def main() -> tuple[int, ...]:
        order: list[int] = []

        def work(n: int) -> None:
            time.sleep(1)
            order.append(n)

        await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(2)))
        return tuple(order)

    orders = set()
    for seed in range(20):
        with World(seed):
            orders.add(asyncio.run(main()))

    assert orders == {(0, 1), (1, 0)}


def test_pipes_and_their_readers() -> None:
    """add_reader watches a pipe of the world, and is called when something was written."""

    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        out, into = os.pipe()
        got = loop.create_future()
        loop.add_reader(out, lambda: got.set_result(os.read(out, 10)))
        loop.call_later(5, os.write, into, b"news")
        return await got, loop.time()

    with World():
        assert asyncio.run(main()) == (b"news", 1005.0)


def test_real_descriptors_are_refused() -> None:
    """A descriptor from outside can never be ready in virtual time; the line that watches it is named."""
    out, into = os.pipe()
    try:

        async def main() -> None:
            asyncio.get_running_loop().add_reader(out, print)

        with World(), pytest.raises(NotSimulated, match=rf"descriptor {out} at .*{Path(__file__).name}"):
            asyncio.run(main())
    finally:
        os.close(out)
        os.close(into)


async def _echo() -> AsyncIterator[object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    yield await reader.read()
    writer.close()
    with tempfile.TemporaryDirectory() as folder:
        local = await asyncio.start_unix_server(serve, f"{folder}/socket")
        reader, writer = await asyncio.open_unix_connection(f"{folder}/socket")
        writer.write(b"near\n")
        yield await reader.read()
        writer.close()
        local.close()
    server.close()


def test_streams_of_asyncio() -> None:
    """Servers and clients of asyncio talk over simulated TCP and UNIX sockets."""

    async def main() -> list[object]:
        return [item async for item in _echo()]

    with World():
        assert asyncio.run(main()) == [b"HELLO\n", b"NEAR\n"]


def test_signal_handlers_run_in_the_loop() -> None:
    """A simulated SIGTERM to the own process sets an event at its virtual time; removed, the handler is gone."""

    async def main() -> tuple[float, bool, bool]:
        loop, got = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, got.set)
        loop.call_later(5, os.kill, os.getpid(), signal.SIGTERM)
        await got.wait()
        return loop.time(), loop.remove_signal_handler(signal.SIGTERM), loop.remove_signal_handler(signal.SIGTERM)

    with World():
        assert asyncio.run(main()) == (1005.0, True, False)


def test_children_of_asyncio() -> None:
    """create_subprocess_exec starts a process of the world; its output and exit code arrive."""

    async def main() -> tuple[bytes, int | None]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sys, time; print('hi'); time.sleep(7); sys.exit(3)", stdout=subprocess.PIPE
        )
        out, _ = await child.communicate()
        return out, child.returncode

    with World() as world:
        assert asyncio.run(main()) == (b"hi\n", 3)
        assert world.elapsed > 7


def test_a_loop_needs_a_world() -> None:
    """The class made outside says what is missing."""
    with pytest.raises(NotSimulated, match=r"open one with harness\.sim\.World"):
        SimLoop()


@pytest.mark.parametrize("seconds", [3, 0])
def test_a_world_in_a_coroutine_of_a_real_loop_refuses_to_wait(seconds: int) -> None:
    """An await there would hang; it is refused, whether it needs a timer or only a turn, and the world is closed."""

    async def main() -> None:
        with World():
            await asyncio.sleep(seconds)

    with pytest.raises(NotSimulated, match=r"a world was opened in a coroutine of a real event loop.*Await nothing"):
        asyncio.run(main())
    with World() as world:
        asyncio.run(asyncio.sleep(3))
        assert world.elapsed == 3


def test_a_world_in_a_coroutine_that_awaits_nothing_is_let_be() -> None:
    """Synchronous code runs in a world wherever it is opened, and the real loop waits as before afterwards."""

    async def main() -> float:
        with World() as world:
            thread = threading.Thread(target=time.sleep, args=(3,))
            thread.start()
            thread.join()
            elapsed = world.elapsed
        await asyncio.sleep(0.001)
        return elapsed

    assert asyncio.run(main()) == 3
