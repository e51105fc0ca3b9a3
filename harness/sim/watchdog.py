"""Real time watches over virtual time: says who holds up a world that stands still."""

from __future__ import annotations

import _thread
import sys
from typing import TYPE_CHECKING

from harness.sim.reports import stuck

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel


class Watchdog:
    """A thread outside the world that looks whether steps are made.

    It only tells, on the real stderr: long computing is allowed. Once for each time the world stands still.

    :param patience: real seconds without a step that are too long; 0: do not watch.
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
        seen, told = -1, False
        while not self._stop.acquire(timeout=self._patience):
            if self._kernel.unwinding:
                return
            now = self._kernel.steps
            if now != seen:
                seen, told = now, False
            elif not told:
                told = True
                self.reports += 1
                self._tell()

    def _tell(self) -> None:
        stream = sys.__stderr__
        if stream is not None:
            stream.write(stuck(self._kernel) + "\n")
            stream.flush()
