"""S9 - processor time a job costs in the simulation.

The same jobs, which do nothing, go through APScheduler 4 with its memory store flat out: in real time, and in a
simulated world. Setting the world up and taking it down is counted in.

Run: python benchmarks/sim_jobs.py [--jobs 4000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apscheduler import AsyncScheduler, Event, JobReleased

from benchmarks.common import Goal, interleaved, show
from harness.sim import World


async def nothing() -> None:
    """The job."""


async def flat_out(jobs: int) -> None:
    """Add so many jobs and wait until all have ended."""
    done = asyncio.Event()
    released = 0

    def count(event: Event) -> None:
        nonlocal released
        released += 1
        if released == jobs:
            done.set()

    async with AsyncScheduler(identity="scheduler") as scheduler:
        await scheduler.configure_task("nothing", func=nothing, max_running_jobs=100)
        scheduler.subscribe(count, {JobReleased})
        await scheduler.start_in_background()
        for _ in range(jobs):
            await scheduler.add_job("nothing")
        await done.wait()


def real(jobs: int) -> None:
    """In real time."""
    asyncio.run(flat_out(jobs))


def simulated(jobs: int) -> None:
    """In a simulated world."""
    with World(seed=1):
        asyncio.run(flat_out(jobs))


def cost(side: Callable[[int], None], jobs: int) -> float:
    """Milliseconds of processor time a job."""
    begin = time.process_time()
    side(jobs)
    return (time.process_time() - begin) * 1000 / jobs


def main() -> int:
    """Measure, print, and tell by the exit code whether the goal is met."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=4000)
    options.add_argument("--rounds", type=int, default=5)
    args = options.parse_args()
    sides = {"sim": lambda: cost(simulated, args.jobs), "real time": lambda: cost(real, args.jobs)}
    goals = [Goal("S9", "sim", "real time", at_most=1.3)]
    title = f"{args.jobs:,} jobs through APScheduler's memory store"
    return 0 if show(title, "ms/job", interleaved(sides, args.rounds), goals) else 1


if __name__ == "__main__":
    sys.exit(main())
