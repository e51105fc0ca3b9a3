"""One world at a time in one interpreter, whichever of its threads asks."""

from __future__ import annotations

import _thread
import sys

from harness.sim.boundary.callsite import program_site
from harness.sim.errors import SimError


class NestedWorld(SimError):
    """A world was opened inside another one, or beside it in another thread of this interpreter."""


class Only:
    """Held by the open world. What a world replaces belongs to the whole interpreter, hence so does this."""

    __slots__ = ("_lock", "_opened_at")

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()  # a real one, also for simulated threads, who must not wait for it
        self._opened_at = "?"

    def take(self) -> None:
        """Be the open world, until `give_back`.

        :raises NestedWorld: there is one already; says where that was opened.
        """
        if not self._lock.acquire(blocking=False):
            raise NestedWorld(
                f"a simulated world is open in this interpreter already (since {self._opened_at}), and worlds do not "
                "nest, nor run side by side in threads: close it first, or start a process inside it"
            )
        self._opened_at = program_site(sys._getframe(2))

    def give_back(self) -> None:
        """The world is closed."""
        self._lock.release()


ONLY = Only()
"""It is global because the interpreter's modules are."""
