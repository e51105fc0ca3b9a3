"""Keeps the garbage collector from running finalizers at points that nobody chose.

Collection is triggered by counts of allocations, which differ between runs and between Pythons. Inside a world it is
off; what lies in cycles is collected before the world begins and after its last thread has ended.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.errors import Killed, SimError

BOUNDARY = (
    Boundary(
        "gc", How.SIMULATED, "no automatic collection inside a world; collected before it begins and when it ends"
    ),
)

MIDDLE = 1
"""The generation collected. What has survived longer belongs to the host; looking there costs more than a world."""


class Garbage:
    """The collector: off from `install` to `restore`."""

    def __init__(self) -> None:
        self._was_on = False
        self._callbacks: list[Any] = []

    def install(self) -> None:
        """Collect what is young, then switch automatic collection off.

        What there is already is put out of sight: `gc.get_objects` then walks what the world made, and nothing else.
        """
        self._was_on = gc.isenabled()
        gc.collect(MIDDLE)
        gc.disable()
        gc.freeze()
        # The host's own, such as Hypothesis's, look at the clock, which would be that of the world.
        self._callbacks = gc.callbacks[:]
        gc.callbacks.clear()

    @staticmethod
    def patch(patcher: Patcher) -> None:
        """A simulated process that freezes its objects (before it ends, say) must not freeze those of the world."""
        patcher.set(gc, "freeze", lambda: None)

    def collect(self) -> None:
        """Collect what the world left. Finalizers that reach for the world are refused, and nobody is told."""
        _let_tasks_go()
        told = sys.unraisablehook
        sys.unraisablehook = _quiet(told)
        try:
            gc.collect(MIDDLE)
        finally:
            sys.unraisablehook = told

    def restore(self) -> None:
        """Let the collector be as it was.

        What the host itself had frozen is not frozen again, which costs time alone.
        """
        gc.unfreeze()
        gc.callbacks[:0] = self._callbacks
        if self._was_on:
            gc.enable()


def _let_tasks_go() -> None:
    """Tasks whose process was killed are pending for ever; asyncio would report each as a mistake of the program."""
    from harness.sim.boundary.order import SimTask

    for task in gc.get_objects(0):
        if type(task) is SimTask and not task.done():
            task._log_destroy_pending = False  # type: ignore[attr-defined]


def _quiet(told: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, SimError | Killed):
            told(unraisable)

    return hook
