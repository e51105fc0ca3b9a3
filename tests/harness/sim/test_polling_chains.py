"""Who polls for what another one does that polls itself: a world ends such chains as reality does."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from harness.sim import Livelock, World, check_determinism

LATER = 0.3
"""Seconds after which what the first one polls for comes."""
START_UP = 0.25
"""Seconds that the start of a simulated process takes at most."""


def _after(callback: Callable[[], object]) -> None:
    threading.Timer(LATER, callback).start()


def _thread(run: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _one_who_gives_way() -> None:
    found: list[int] = []
    _after(lambda: found.append(1))

    def give_way() -> None:
        while not found:
            time.sleep(0)

    thread = _thread(give_way)
    while thread.is_alive():
        pass


def _one_who_waits_no_time_for_a_queue() -> None:
    items = queue.Queue[int]()
    _after(lambda: items.put(1))

    def get() -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                items.get(timeout=0)
                return

    thread = _thread(get)
    while thread.is_alive():
        pass


def _one_who_waits_no_time_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    _after(lock.release)

    def acquire() -> None:
        while not lock.acquire(timeout=0):
            pass

    thread = _thread(acquire)
    while thread.is_alive():
        pass


async def _turn_until_a_timer_of_the_loop() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(LATER, event.set)
    while not event.is_set():
        await asyncio.sleep(0)


def _a_loop_that_turns() -> None:
    done = threading.Event()

    def run() -> None:
        asyncio.run(_turn_until_a_timer_of_the_loop())
        done.set()

    _thread(run)
    while not done.is_set():
        pass


def _two_loops_that_turn() -> None:
    thread = _thread(lambda: asyncio.run(_turn_until_a_timer_of_the_loop()))

    async def watch() -> None:
        while thread.is_alive():
            await asyncio.sleep(0)

    asyncio.run(watch())


def _a_child_that_joins() -> None:
    program = (
        "import threading, time\n"
        f"thread = threading.Thread(target=time.sleep, args=({LATER},))\n"
        "thread.start()\n"
        "while thread.is_alive(): thread.join(0)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        while child.poll() is None:
            pass


def _five_in_a_row() -> None:
    events = [threading.Event() for _ in range(6)]
    _after(events[0].set)

    def pass_on(number: int) -> None:
        while not events[number].is_set():
            if number % 2:
                time.sleep(0)
        events[number + 1].set()

    for number in range(5):
        threading.Thread(target=pass_on, args=(number,)).start()
    while not events[5].is_set():
        pass


def _a_crowd() -> None:
    found: list[int] = []
    _after(lambda: found.append(1))

    def give_way() -> None:
        while not found:
            time.sleep(0)

    for thread in [_thread(give_way) for _ in range(12)]:
        thread.join()


CHAINS = [
    _one_who_gives_way,
    _one_who_waits_no_time_for_a_queue,
    _one_who_waits_no_time_for_a_lock,
    _a_loop_that_turns,
    _two_loops_that_turn,
    _a_child_that_joins,
    _five_in_a_row,
    _a_crowd,
]
_chains = pytest.mark.parametrize("poll", CHAINS, ids=lambda poll: poll.__name__.lstrip("_"))


@_chains
@pytest.mark.parametrize("seed", [2, 3, None], ids=["sim-2", "sim-3", "real"])
def test_a_chain_of_who_polls_ends_when_it_does_in_reality(poll: Callable[[], None], seed: int | None) -> None:
    """What is due at 0.3 s goes from one to the next, although each of them polls and nothing else is due."""
    with contextlib.nullcontext() if seed is None else World(seed):
        begun = time.monotonic()
        poll()
        took = round(time.monotonic() - begun, 6)  # a float of seconds is not exact

    assert took >= LATER
    if seed is not None:
        assert took < LATER + (START_UP if poll is _a_child_that_joins else 0) + 0.01


@pytest.mark.parametrize("seed", [2, 3, None], ids=["sim-2", "sim-3", "real"])
def test_who_gives_way_very_often_and_then_does_it_is_waited_for(seed: int | None) -> None:
    """25,000 turns of work look like polling, and nothing is due: who watches lets them be made."""
    with contextlib.nullcontext() if seed is None else World(seed):
        event = threading.Event()

        def work() -> None:
            for _ in range(25_000):
                time.sleep(0)
            event.set()

        thread = _thread(work)
        while not event.is_set():
            time.sleep(0)
        thread.join()

    assert not thread.is_alive()


@pytest.mark.parametrize("poll", [_a_loop_that_turns, _five_in_a_row], ids=["loop", "five"])
def test_a_chain_has_one_history(poll: Callable[[], None]) -> None:
    """Who looks next when nothing else is left is no chance: the same every time."""
    check_determinism(poll, seed=3)


def test_questions_that_were_in_vain_are_forgotten_when_something_is_due() -> None:
    """Who has asked more than `livelock` times while something was due, in vain at the end, is at no livelock."""
    with World(livelock=2_000) as world:
        first, second = threading.Event(), threading.Event()
        threading.Timer(3, first.set).start()

        def pass_on() -> None:
            while not first.is_set():
                pass
            second.set()

        _thread(pass_on)
        while not second.is_set():
            pass

        assert 3 <= world.elapsed < 3.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_that_nothing_begins_is_told(seed: int) -> None:
    """One asks, one gives way, a loop turns whose timers are armed anew each turn: a livelock, and no time passes."""
    with World(seed, livelock=50_000) as world:
        event = threading.Event()

        def give_way() -> None:
            while not event.is_set():
                time.sleep(0)

        def ask() -> None:
            while not event.is_set():
                pass

        async def turn() -> None:
            timer = None
            while not event.is_set():
                if timer is not None:
                    timer.cancel()
                timer = asyncio.get_running_loop().call_later(1, event.set)
                await asyncio.sleep(0)

        _thread(give_way)
        _thread(lambda: asyncio.run(turn()))
        with pytest.raises(Livelock, match="50000 steps were made without time passing"):
            ask()

        assert world.elapsed < 0.001
