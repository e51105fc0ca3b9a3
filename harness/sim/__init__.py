"""The `sim` world: unmodified code in virtual time, with the same history for the same seed.

>>> import asyncio
>>> from harness.sim import World
>>> with World(seed=1) as world:
...     asyncio.run(asyncio.sleep(3600))
...     world.elapsed
3600.0

`World` opens one, `run` calls a function in one, `check_determinism` calls it in two and compares their histories.
Rules (`Drop`, `Duplicate`, `Deliver`, `Hold`) say what becomes of messages, `DiskFault` what is wrong with the disk.
What is simulated and what is refused is listed by `harness.sim.boundary.registry.all`.
"""

from __future__ import annotations

from harness.sim.errors import (
    BadFault,
    Deadlock,
    Killed,
    Livelock,
    Misuse,
    NotSimulated,
    ReplayDiverged,
    SimError,
    ThreadFailed,
)
from harness.sim.kernel import Kernel, current_thread
from harness.sim.machine.disk import DiskFault
from harness.sim.only import NestedWorld
from harness.sim.rules import Deliver, Drop, Duplicate, Hold, Message, Pass
from harness.sim.running import Nondeterministic, RunResult, check_determinism, run
from harness.sim.tape import Tape
from harness.sim.trace import Trace
from harness.sim.world import World

__all__ = [
    "BadFault",
    "Deadlock",
    "Deliver",
    "DiskFault",
    "Drop",
    "Duplicate",
    "Hold",
    "Kernel",
    "Killed",
    "Livelock",
    "Message",
    "Misuse",
    "NestedWorld",
    "Nondeterministic",
    "NotSimulated",
    "Pass",
    "ReplayDiverged",
    "RunResult",
    "SimError",
    "Tape",
    "ThreadFailed",
    "Trace",
    "World",
    "check_determinism",
    "current_thread",
    "run",
]
