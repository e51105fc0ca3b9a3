"""Real time watches over virtual time: says who holds up a world that stands still."""

from __future__ import annotations

import _thread
import sys
from typing import TYPE_CHECKING

from harness.sim.reports import busy, stuck

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel


class Watchdog:
    """A thread outside the world that looks whether steps are made, and time passes.

    It only tells, on the real stderr: long computing is allowed. Once for each time the world stands still, and once
    for each instant at which step follows step.

    :param patience: real seconds without a step, or at one instant, that are too long; 0: do not watch.
    """

    def __init__(self, kernel: Kernel, patience: float) -> None:
        self._kernel = kernel
        self._patience = patience
        self._stop = _thread.allocate_lock()
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
        while not self._stop.acquire(timeout=self._patience):
            if kernel.unwinding:
                return
            what = "a step" if kernel.steps == seen else "an instant" if kernel.now == instant else ""
            if what and what != told:
                self._tell(stuck(kernel) if what == "a step" else busy(kernel))
            seen, instant, told = kernel.steps, kernel.now, what

    def _tell(self, text: str) -> None:
        self.reports += 1
        stream = sys.__stderr__
        if stream is not None:
            stream.write(text + "\n")
            stream.flush()
