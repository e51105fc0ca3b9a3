"""The clocks of module `time` that only ever go forward: monotonic, perf_counter, process_time, sleep.

Each function asks whether the calling thread is simulated. Threads of the host (pytest-xdist, pytest-timeout, a live
view) get the real clock, so a name that outlives its world, as a default argument may, still works.
"""

from __future__ import annotations

import gc
import sched
import time
from collections.abc import Callable
from operator import index
from typing import Any

from harness.sim.boundary.garbage import MIDDLE
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import Kernel, current_thread
from harness.sim.thread import LOCAL
from harness.sim.timers import us

_MONOTONIC = "seconds since the simulated process's own start of time; moves only when nobody can run"
_CLOCKS = "CLOCK_REALTIME is the wall clock, every other clock is time.monotonic"

BOUNDARY = (
    Boundary("time.sleep", How.SIMULATED, "parks the thread; other threads and processes go on"),
    Boundary("time.monotonic", How.SIMULATED, _MONOTONIC),
    Boundary("time.monotonic_ns", How.SIMULATED, _MONOTONIC),
    Boundary("time.perf_counter", How.SIMULATED, _MONOTONIC),
    Boundary("time.perf_counter_ns", How.SIMULATED, _MONOTONIC),
    Boundary("time.clock_gettime", How.SIMULATED, _CLOCKS),
    Boundary("time.clock_gettime_ns", How.SIMULATED, _CLOCKS),
    Boundary("time.process_time", How.SIMULATED, _MONOTONIC),
    Boundary("time.process_time_ns", How.SIMULATED, _MONOTONIC),
    Boundary("time.thread_time", How.SIMULATED, _MONOTONIC),
    Boundary("time.thread_time_ns", How.SIMULATED, _MONOTONIC),
    Boundary("sched.scheduler", How.SIMULATED, "made inside the world, its clock and its delay are the world's"),
)

SPINS = 20_000
"""Reads of a clock in one turn of a thread, and turns with reads at one instant, after which more cost virtual time.

Time stands still while code computes, so ``while time.monotonic() < end: pass`` would never end, nor a loop that polls
until its deadline is past, and not only come. No code that waits in earnest asks this often.
"""
POLLS = 100
"""Turns beyond that which cost time together, first a microsecond: so many may as well be those of a crowd."""
DOUBLES = 10
"""Payments of one price; the next ones are of twice as much, so that who polls for a second is not at it for hours."""
DEAREST = 1_000
"""Microseconds that a read costs at most. The price rises by one for every hundred."""
DEAREST_TURNS = 10_000
"""Microseconds that `POLLS` turns cost at most: for each a tenth of a millisecond, which a loop's turn may take."""
TIDY = 100
"""Payments after which is collected what lies in cycles. The collector is off inside a world, and who polls for long
would fill the memory with what each of its turns leaves behind."""


LONGEST = 9_223_372_037
"""Seconds for which nobody can sleep: 2**63 nanoseconds."""
_NUMBERS = (float, int)


class Spinning:
    """Notices loops that wait by reading a clock over and over."""

    __slots__ = ("count", "instant", "paid", "polls", "turn")

    def __init__(self) -> None:
        self.instant = -1
        self.polls = 0
        """Turns at this instant in which a clock was read, or since time passed by itself."""
        self.paid = 0
        """How often time was let pass for them."""
        self.turn = -1
        self.count = 0
        """Reads in this turn of a thread."""

    def read(self, kernel: Kernel) -> None:
        """Count one read of the thread whose turn it is; past `SPINS` let time pass."""
        if kernel.steps != self.turn:
            self.turn = kernel.steps
            self.count = 0
            self._poll(kernel)
        self.count += 1
        if self.count > SPINS and kernel.current is not None:
            kernel.sleep(min(1 + (self.count - SPINS) // 100, DEAREST))
            # Its next read, a turn later, costs again: it is the same loop.
            self.turn = kernel.steps

    def _poll(self, kernel: Kernel) -> None:
        if kernel.now != self.instant:
            self.instant = kernel.now
            self.polls = self.paid = 0
        self.polls += 1
        if self.polls > SPINS and self.polls % POLLS == 0 and kernel.current is not None:
            self._pay(kernel)

    def _pay(self, kernel: Kernel) -> None:
        kernel.sleep(min(2 ** min(self.paid // DOUBLES, 14), DEAREST_TURNS))
        self.paid += 1
        # Before the collector runs: what it calls may look at the clock.
        self.turn, self.instant = kernel.steps, kernel.now
        if self.paid % TIDY == 0:  # counted, hence at the same point of every run
            gc.collect(MIDDLE)


def install(patcher: Patcher, spinning: Spinning) -> None:
    """Replace the clocks in module `time` and wherever they were imported by name."""
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        patcher.replace(time, name, _seconds(getattr(time, name), spinning))
        patcher.replace(time, f"{name}_ns", _nanoseconds(getattr(time, f"{name}_ns"), spinning))
    patcher.replace(time, "clock_gettime", _gettime(time.clock_gettime, time.monotonic))
    patcher.replace(time, "clock_gettime_ns", _gettime(time.clock_gettime_ns, time.monotonic_ns))
    patcher.replace(time, "sleep", _sleep(time.sleep))
    patcher.set(sched.scheduler, "__init__", _scheduling(sched.scheduler.__init__))


def _seconds(real: Callable[[], float], spinning: Spinning) -> Callable[[], float]:
    def seconds() -> float:
        me = LOCAL.thread
        if me is None:
            return real()
        kernel = me.kernel
        spinning.read(kernel)
        return me.process.clock.monotonic(kernel.now)

    return _named(seconds, real)


def _nanoseconds(real: Callable[[], int], spinning: Spinning) -> Callable[[], int]:
    def nanoseconds() -> int:
        me = current_thread()
        if me is None:
            return real()
        kernel = me.kernel
        spinning.read(kernel)
        return me.process.clock.monotonic_us(kernel.now) * 1000

    return _named(nanoseconds, real)


def _gettime(real: Callable[[int], Any], monotonic: Callable[[], Any]) -> Callable[[int], Any]:
    def gettime(clk_id: int, /) -> Any:
        # The wall clock is answered below, in C, by time-machine.
        if clk_id == time.CLOCK_REALTIME or current_thread() is None:
            return real(clk_id)
        if clk_id != time.CLOCK_MONOTONIC:
            real(clk_id)  # refuses a clock that there is not
        return monotonic()

    return _named(gettime, real)


def _sleep(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: Any, /) -> None:
        me = current_thread()
        if me is None:
            return real(seconds)
        if type(seconds) not in _NUMBERS and not isinstance(seconds, float):
            seconds = index(seconds)
        if not 0 <= seconds < LONGEST:
            return real(seconds)  # which refuses it
        if seconds:
            kernel = me.kernel
            kernel.sleep(me.process.clock.true(us(seconds)))
            kernel.record("slept")
        else:
            me.kernel.yield_()
        return None

    return _named(sleep, real)


def _scheduling(real: Callable[..., None]) -> Callable[..., None]:
    """The constructor of `sched.scheduler` bound its clock and its delay when the class was made."""

    def init(self: Any, timefunc: Any = time.monotonic, delayfunc: Any = time.sleep) -> None:
        real(self, timefunc, delayfunc)

    return _named(init, real)


def _named(function: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = real.__name__
    function.__doc__ = real.__doc__
    return function
