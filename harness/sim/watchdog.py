"""Real time watches over virtual time: says who holds up a world that stands still, and ends what never gives way."""

from __future__ import annotations

import _thread
import sys
import time
from contextlib import suppress
from ctypes import c_ulong, py_object, pythonapi
from typing import TYPE_CHECKING, Any

from harness.sim.errors import Killed, Livelock
from harness.sim.reports import busy, spinning, stuck

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.thread import SimThread

_gettime = time.clock_gettime
_clock_of = getattr(time, "pthread_getcpuclockid", None)
"""Gives the clock of a thread's processor time; None where the system has none, and nothing is ended."""

LOOKS = 4
"""How often one patience is looked at processor time."""


class Watchdog:
    """A thread outside the world that looks whether steps are made, and time passes.

    It tells on the real stderr, once for each time the world stands still, and once for each instant at which step
    follows step. A thread that computes for longer than the patience without any step is ended with `Livelock`: most
    likely it polls what nobody else can change, as it never gives way. That is measured in processor time of that
    thread, so neither a slow machine nor a wait for something real ends a run.

    :param patience: real seconds without a step, or at one instant, that are too long; 0: do not watch.
    """

    def __init__(self, kernel: Kernel, patience: float) -> None:
        self._kernel = kernel
        self._patience = patience
        self._stop = _thread.allocate_lock()
        self._step = -1
        self._used = 0.0
        """Processor time of the thread with the baton when it was first seen at this step."""
        self.reports = 0

    def start(self) -> None:
        """Begin to watch."""
        if self._patience > 0:
            self._stop.acquire()
            _thread.start_new_thread(self._watch, ())

    def stop(self) -> None:
        """Watch no longer."""
        if self._stop.locked():
            self._stop.release()

    def _watch(self) -> None:
        kernel = self._kernel
        seen, instant, told = -1, -1, ""
        looks = 0
        while not self._stop.acquire(timeout=self._patience / LOOKS):
            if kernel.unwinding:
                return
            self._look()
            looks += 1
            if looks % LOOKS:
                continue
            what = "a step" if kernel.steps == seen else "an instant" if kernel.now == instant else ""
            if what and what != told:
                self._tell(stuck(kernel) if what == "a step" else busy(kernel))
            seen, instant, told = kernel.steps, kernel.now, what

    def _look(self) -> None:
        """End the thread with the baton if it has computed for too long since its last step."""
        kernel, step = self._kernel, self._kernel.steps
        holder = kernel.current
        used = None if holder is None else _computed(holder)
        if used is None or holder is None:
            return
        if step != self._step:
            self._step, self._used = step, used
        elif used - self._used >= self._patience:
            self._end(holder, step)
            self._used = used  # who swallows it meets it again

    def _end(self, holder: SimThread, step: int) -> None:
        kernel = self._kernel
        text = spinning(kernel, holder, self._patience)

        class Ended(Livelock):
            """Is raised by the interpreter, which gives it no arguments."""

            def __init__(self) -> None:
                super().__init__(text)

        Ended.__name__, Ended.__qualname__, Ended.__module__ = "Livelock", "Livelock", Livelock.__module__
        if kernel.steps != step or kernel.current is not holder or kernel.unwinding:
            return
        kernel.fail(Ended())
        error: Any = Ended if holder is kernel.main else Killed
        pythonapi.PyThreadState_SetAsyncExc(c_ulong(holder.ident), py_object(error))

    def _tell(self, text: str) -> None:
        self.reports += 1
        stream = sys.__stderr__
        if stream is not None:
            stream.write(text + "\n")
            stream.flush()


def _computed(thread: SimThread) -> float | None:
    """Seconds of processor time that a real thread has used; None when it has ended, or nobody knows."""
    if _clock_of is None or thread.done or thread.ident not in sys._current_frames():
        return None  # of a thread that there is not, the C library would read memory that is not its own
    with suppress(OSError):
        return _gettime(_clock_of(thread.ident))
    return None
