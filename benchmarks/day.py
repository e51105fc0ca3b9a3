"""S10 - a simulated day: 24 hours of 50 schedules through APScheduler 4 with its memory store.

Held against the same day under a virtual clock and nothing else: an event loop that jumps to its next timer, and
time-machine moved with it. looptime is measured beside it, where it is installed, coupled to the wall clock by hand.
Every side has a process of its own: a world leaves an audit hook behind, which would slow the other sides down, too.

Run: python benchmarks/day.py [--hours 24] [--rounds 3] [--digests 5]
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import importlib.util
import os
import random
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import time_machine
from apscheduler import AsyncScheduler, Event
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from benchmarks.common import Goal, interleaved, show
from harness.sim import World

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "UTC"


async def work() -> None:
    """The job: a quarter of a second of waiting."""
    await asyncio.sleep(0.25)


async def day(hours: float, told: Callable[[str], None]) -> int:
    """25 interval and 25 cron schedules for so many hours; how many jobs ended. `told` hears of every event."""
    ended = 0

    def heard(event: Event) -> None:
        nonlocal ended
        ended += type(event).__name__ == "JobReleased"
        told(repr(event))

    async with AsyncScheduler(identity="scheduler") as scheduler:
        scheduler.subscribe(heard)
        await scheduler.start_in_background()
        start = datetime.now(UTC)
        for number in range(25):
            every = IntervalTrigger(seconds=240 + 9 * number, start_time=start + timedelta(seconds=number))
            fields = CronTrigger(minute=f"{number % 6}-59/6", second=number, start_time=start, timezone=ZONE)
            for kind, trigger in (("interval", every), ("cron", fields)):
                name = f"{kind}-{number}"
                await scheduler.configure_task(name, func=work)
                await scheduler.add_schedule(name, trigger, id=name)
        await asyncio.sleep(hours * 3600)
    return ended


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer, and takes the wall clock along."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = 0
        """Nanoseconds since the start; whole microseconds."""
        self.travel: Any = None
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Seconds since the start."""
        return self.now / 1e9

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """On the microsecond that is not before `when`: a wall clock has no finer grid."""
        return super().call_at(-(-round(when * 1e9) // 1000) / 1e6, callback, *args, context=context)


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        loop = self.loop
        if timeout is not None and timeout > 0:
            loop.now += max(1000, -(-round(timeout * 1e9) // 1000) * 1000)
            loop.travel.move_to(EPOCH.timestamp() + loop.now / 1e9 + 1e-7)
        return super().select(0)


def bare(hours: float) -> Any:
    """The day under `VirtualLoop`."""
    random.seed(1)
    with time_machine.travel(EPOCH, tick=False) as travel, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        loop.travel = travel
        return runner.run(day(hours, _nothing))


def compacted(hours: float) -> Any:
    """The day under looptime, whose clock takes the wall clock along."""
    from looptime._internal.loops import LoopTimeEventLoop

    class Loop(LoopTimeEventLoop, asyncio.SelectorEventLoop):  # type: ignore[misc]
        travel: Any = None

        def _run_once(self) -> None:
            self.travel.move_to(EPOCH.timestamp() + self.time() + 1e-7)
            super()._run_once()

    with time_machine.travel(EPOCH, tick=False) as travel:
        loop = Loop()
        loop.travel = travel
        try:
            return loop.run_until_complete(day(hours, _nothing))
        finally:
            loop.close()


def simulated(hours: float, told: Callable[[str], None] | None = None) -> tuple[Any, str]:
    """The day in a simulated world: jobs, and the digest of the world."""
    with World(seed=1, epoch=EPOCH) as world:
        ended = asyncio.run(day(hours, told or _nothing))
    return ended, world.digest


def _nothing(text: str) -> None:
    """Nobody wants to know."""


SIDES: dict[str, Callable[[float], Any]] = {"sim": simulated, "virtual clock": bare, "looptime": compacted}


def _timed(side: str, hours: float) -> float:
    """Seconds that one side takes for so many hours, after a short day to warm up, in a process of its own."""
    command = [sys.executable, __file__, "--only", side, "--hours", str(hours)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _one(side: str, hours: float) -> float:
    SIDES[side](min(hours, 0.1))
    begin = time.perf_counter()
    SIDES[side](hours)
    return time.perf_counter() - begin


def digests(hours: float, count: int) -> bool:
    """Simulate the day `count` times more; print time and digests, and tell whether all were equal."""
    seen = set()
    for number in range(1, count + 1):
        events = hashlib.sha256()
        begin = time.perf_counter()
        jobs, digest = simulated(hours, lambda text: events.update(text.encode()))  # noqa: B023 - called in this round
        took = time.perf_counter() - begin
        seen.add((jobs, digest, events.hexdigest()))
        print(f"  {number}  {jobs:,} jobs  {took:6.2f} s  world {digest[:16]}  APScheduler's events "
              f"{events.hexdigest()[:16]}")  # fmt: skip
    print(f"  {'all equal' if len(seen) == 1 else f'{len(seen)} DIFFERENT'} on Python {sys.version.split()[0]}, "
          f"hash seed {os.environ.get('PYTHONHASHSEED', 'random')}")  # fmt: skip
    return len(seen) == 1


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=24.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--digests", type=int, default=5)
    options.add_argument("--only", choices=SIDES, help="print the seconds that this side takes, once, and end")
    args = options.parse_args()
    if args.only:
        print(_one(args.only, args.hours))
        return 0
    names = list(SIDES)
    if importlib.util.find_spec("looptime") is None:
        print("looptime is not installed (pip install 'harness[bench]'): not measured")
        names.remove("looptime")
    sides = {name: functools.partial(_timed, name, args.hours) for name in names}
    met = True
    if args.rounds:
        goals = [Goal("S10", "sim", "virtual clock", at_most=1.2)]
        met = show(f"{args.hours:g} h of 50 schedules", "s", interleaved(sides, args.rounds), goals)
    return 0 if digests(args.hours, args.digests) and met else 1


if __name__ == "__main__":
    sys.exit(main())
