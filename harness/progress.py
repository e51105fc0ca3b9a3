"""How far a simulated run has come, told by a thread that is not part of its world."""

from __future__ import annotations

import _thread
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.report.console import coloured
from harness.report.figures import duration
from harness.report.text import printable

if TYPE_CHECKING:
    from harness.worlds import Simulation

EVERY = 0.2
"""Real seconds between two looks at the virtual clock."""


class Progress:
    """One line on a terminal that changes, one that stays anywhere else; nothing when `quiet`.

    Its thread is made below `threading`, whose names belong to the world while that is open, and only reads the clock.

    >>> import io
    >>> from harness.worlds import Simulation
    >>> out = io.StringIO()
    >>> with Progress("load.steady", 7, Simulation(), file=out):
    ...     pass
    >>> out.getvalue()
    'load.steady: simulating, seed 7\\n'
    """

    def __init__(
        self, title: str, seed: int, simulation: Simulation, *, file: TextIO | None = None, quiet: bool = False
    ) -> None:
        self._line = f"{printable(title)}: simulating, seed {seed}"
        self._simulation = simulation
        self._file = file or sys.stderr
        self._quiet = quiet
        self._stop, self._stopped = _thread.allocate_lock(), _thread.allocate_lock()
        self._begun = False

    def __enter__(self) -> Self:
        if self._quiet:
            return self
        if not coloured(self._file):
            self._file.write(self._line + "\n")
            self._file.flush()
            return self
        self._begun = self._stop.acquire() and self._stopped.acquire()
        _thread.start_new_thread(self._tell, ())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun:
            self._stop.release()
            self._stopped.acquire()

    def _tell(self) -> None:
        try:
            while not self._stop.acquire(timeout=EVERY):
                world = self._simulation.world
                passed = "" if world is None else f": {duration(world.elapsed)} of virtual time"
                self._write(f"\r\x1b[K{self._line}{passed}")
            self._write("\r\x1b[K")
        except (OSError, ValueError):
            pass  # the terminal is gone: whoever watches a run must not change it
        finally:
            self._stopped.release()

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()
