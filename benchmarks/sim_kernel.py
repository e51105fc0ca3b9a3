"""S11 - the kernel's inner loops: hand-overs of the baton, and timers.

Hand-overs between two simulated threads are held against two real threads that wake each other by two bare locks, as
the baton does; timers of the kernel, set anew by their callbacks, against SimPy's time-outs. What is left of both for
an unmodified program is shown beside them: semaphores, and coroutines that sleep.

Run: python benchmarks/sim_kernel.py [--rounds 5]
"""

from __future__ import annotations

import _thread
import argparse
import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Goal, Side, interleaved, show
from harness.sim import World
from harness.sim.waiting import WaitQueue

SWITCHES = 20_000
"""Hand-overs a round."""
SLEEPERS, NAPS = 100, 500
"""Coroutines or processes, and how often each of them sleeps."""
_REAL = (time.perf_counter,)
"""The real clock, where no world that is opened finds it to replace it."""


def clock() -> float:
    """Real seconds, inside a world too."""
    return _REAL[0]()


def baton() -> float:
    """Hand-overs a second between two simulated threads: each wakes the other, then waits for its turn."""
    with World(seed=1, livelock=10 * SWITCHES, zmq=False, machine=False) as world:
        turns = [WaitQueue(world.kernel, f"turn {number}") for number in (0, 1)]

        def play(mine: int) -> None:
            for _ in range(SWITCHES // 2):
                turns[mine].wait()
                turns[1 - mine].notify()

        return _played(play, turns[0].notify)


def semaphores() -> float:
    """The same through `threading.Semaphore`, as an unmodified program would."""
    with World(seed=1, livelock=10 * SWITCHES, zmq=False, machine=False):
        turns = (threading.Semaphore(0), threading.Semaphore(0))

        def play(mine: int) -> None:
            for _ in range(SWITCHES // 2):
                turns[mine].acquire()
                turns[1 - mine].release()

        return _played(play, turns[0].release)


def locks() -> float:
    """Hand-overs a second between two real threads with two bare locks."""
    turns = (_thread.allocate_lock(), _thread.allocate_lock())
    for turn in turns:
        turn.acquire()

    def play(mine: int) -> None:
        for _ in range(SWITCHES // 2):
            turns[mine].acquire()
            turns[1 - mine].release()

    return _played(play, turns[0].release)


def _played(play: Callable[[int], None], kick: Callable[[], object]) -> float:
    players = [threading.Thread(target=play, args=(number,)) for number in (0, 1)]
    for player in players:
        player.start()
    time.sleep(0.01)  # both wait now, in a world as outside
    begin = clock()
    kick()
    for player in players:
        player.join()
    return SWITCHES / (clock() - begin)


def timers() -> float:
    """Timer events a second of the kernel: chains of callbacks, each of which sets the next timer."""
    with World(seed=1, zmq=False, machine=False) as world:
        kernel = world.kernel

        def chain(number: int) -> Callable[[], None]:
            turns = iter(range(NAPS))

            def fire() -> None:
                turn = next(turns, None)
                if turn is not None:
                    kernel.call_later(delay(number, turn), fire)

            return fire

        for number in range(SLEEPERS):
            chain(number)()
        begin = clock()
        time.sleep(NAPS)
        return SLEEPERS * NAPS / (clock() - begin)


def delay(number: int, turn: int) -> int:
    """Microseconds; different enough that timers of different chains come between each other."""
    return 1000 + (number * 7 + turn * 13) % 97 * 1000


def sleepers() -> float:
    """Timer events a second of an unmodified program in a simulated world: coroutines that sleep."""

    async def nap(number: int) -> None:
        for turn in range(NAPS):
            await asyncio.sleep(delay(number, turn) / 1e6)

    async def main() -> None:
        await asyncio.gather(*(nap(number) for number in range(SLEEPERS)))

    with World(seed=1, zmq=False, machine=False):
        begin = clock()
        asyncio.run(main())
        return SLEEPERS * NAPS / (clock() - begin)


def timeouts() -> float:
    """Timer events a second in SimPy: processes that wait for time-outs."""
    import simpy

    environment = simpy.Environment()

    def nap(number: int) -> Any:
        for turn in range(NAPS):
            yield environment.timeout(delay(number, turn))

    for number in range(SLEEPERS):
        environment.process(nap(number))
    begin = clock()
    environment.run()
    return SLEEPERS * NAPS / (clock() - begin)


def main() -> int:
    """Measure, print, and tell by the exit code whether the goals are met."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    args = options.parse_args()
    # One thread runs at a time on either side: on two cores it would be their caches that are measured.
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    sides: dict[str, Side] = interleaved(
        {"baton": baton, "two locks": locks, "semaphores in sim": semaphores}, args.rounds
    )
    met = show("Hand-overs", "/s", sides, [Goal("S11", "baton", "two locks", at_least=0.5)])
    try:
        import simpy  # noqa: F401
    except ImportError:
        print("SimPy is not installed (pip install 'harness[bench]'): timers not measured")
        return 1
    sides = interleaved({"sim timers": timers, "SimPy": timeouts, "sleeping coroutines": sleepers}, args.rounds)
    return 0 if show("Timer events", "/s", sides, [Goal("S11", "sim timers", "SimPy", at_least=0.4)]) and met else 1


if __name__ == "__main__":
    sys.exit(main())
