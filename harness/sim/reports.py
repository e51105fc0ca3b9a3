"""What a report says about threads that do not go on: who, of which process, waits for what, since when, where."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from harness.sim.awaiting import loop_of, tasks_wait, thread_waits
from harness.sim.errors import Deadlock, Livelock
from harness.sim.locks import Lock

if TYPE_CHECKING:
    from harness.sim.scheduler import Scheduler
    from harness.sim.thread import SimThread


def deadlock(kernel: Scheduler) -> Deadlock:
    """Nobody can run, nothing is due."""
    before = f"\nBefore that, {kernel.failure}" if isinstance(kernel.failure, Deadlock) else ""
    return Deadlock(
        f"at {_seconds(kernel.now)} no thread can run and nothing is due, so nothing can ever happen again:\n"
        f"{describe(kernel)}\n"
        f"A thread that waits for ever needs somebody who wakes it, or a time-out.{before}"
    )


def livelock(kernel: Scheduler, what: str = "") -> Livelock:
    """Threads run and run, no time passes."""
    polling = [thread for thread in kernel.threads if thread.paying and thread.parked]
    running = ", ".join(thread.label for thread in [*kernel.ready, *polling]) or "timers that set each other"
    what = what or f"steps were made without time passing, by {running}"
    return Livelock(
        f"at {_seconds(kernel.now)} {kernel.livelock} {what}:\n"
        f"{describe(kernel)}\n"
        "A loop that polls must sleep; with step_cost=… every step takes time, as it does in reality."
    )


def busy(kernel: Scheduler) -> str:
    """Step follows step in real time, and virtual time does not pass."""
    return (
        f"the simulation computes at {_seconds(kernel.now)} without time passing:\n{describe(kernel)}\n"
        "That may be much work for one instant. A loop that only looks whether time has passed is a livelock"
        f" after {kernel.livelock} steps; with step_cost=… every step takes time, as it does in reality."
    )


def spinning(kernel: Scheduler, thread: SimThread, patience: float) -> str:
    """A thread computes on and on with the baton, which it never gives back."""
    where = _where(sys._current_frames().get(thread.ident))
    return (
        f"at {_seconds(kernel.now)} {thread.label} has computed for {patience:g} s of processor time without any call "
        f"that waits{where}; nobody else could run meanwhile, and no time passed.\n"
        "A loop that polls a variable, a file or a table must wait in each turn, by time.sleep. What does take that "
        "long to compute needs World(patience=…), real seconds, with 0 for no limit."
    )


def stuck(kernel: Scheduler) -> str:
    """The thread that has the baton does not give it back, in real time; with the stacks of all."""
    holder = kernel.current
    frames = sys._current_frames()
    lines = [
        f"the simulation stands still at {_seconds(kernel.now)}; "
        f"the baton is held by {holder.label if holder else 'a timer'}.",
        "It computes for long, or it waits for something real: then look for a thread that parked while it held a "
        "real lock (made before the world was opened, or by a C extension).",
    ]
    for thread in kernel.threads:
        frame = frames.get(thread.ident)
        mark = "HOLDS THE BATON" if thread is holder else _waits(thread, frame)
        lines.append(f"-- {thread.label}: {mark}")
        if frame is not None:
            lines += (line.rstrip("\n") for line in traceback.format_stack(frame))
    return "\n".join(lines)


def describe(kernel: Scheduler) -> str:
    """Every thread of every living process, one a line."""
    frames = sys._current_frames()
    lines = []
    for process in kernel.processes:
        if process.alive:
            lines.append(f"  process {process.name} ({process.pid}), {process.state.value}:")
            for thread in process.threads:
                if not thread.done:
                    lines += _thread(thread, frames.get(thread.ident))
    return "\n".join(lines)


def _thread(thread: SimThread, frame: FrameType | None) -> Iterator[str]:
    """What a thread waits for, then what each task of its event loop does."""
    yield f"    {thread.name}: {_waits(thread, frame)}{_where(frame)}"
    loop = loop_of(frame)
    if loop is not None:
        yield from (f"      {line}" for line in tasks_wait(loop))


def _waits(thread: SimThread, frame: FrameType | None = None) -> str:
    if not thread.parked:
        return "could run" if thread.reason else "runs"
    return f"waits for {_what(thread, frame)} since {_seconds(thread.since)}"


def _what(thread: SimThread, frame: FrameType | None) -> str:
    """Conditions, and all that is built of them, wait for a lock that the waiting thread has taken before."""
    lock = getattr(thread.reason, "__self__", None)
    if isinstance(lock, Lock) and lock._owner is thread:
        return thread_waits(frame) or "a lock that it holds itself"
    return thread.why()


def _where(frame: FrameType | None) -> str:
    place = user_frame(frame)
    return "" if place is None else f", at {place.f_code.co_filename}:{place.f_lineno} in {place.f_code.co_name}"


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is neither the simulation's, the standard library's nor an installed package's.

    Without any such frame: the innermost one that is not the simulation's nor the standard library's; else None.
    """
    ours = str(Path(__file__).parent)
    stdlib = sysconfig.get_path("stdlib")
    packages = sysconfig.get_path("purelib")
    second: FrameType | None = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((ours, "<frozen")):
            if file.startswith(packages) or "site-packages" in file:
                second = second or frame
            elif not file.startswith(stdlib):
                return frame
        frame = frame.f_back
    return second


def _seconds(now: int) -> str:
    return f"{now / 1e6:.6f} s"
