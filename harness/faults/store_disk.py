"""``store.full`` and ``store.failing``: the disk under an SQLite store takes nothing any more, or fails.

In the simulated world alone: there the disk itself is at fault, as it is in production, and no file system of this
machine need be filled for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.errors import FaultError
from harness.faults.base import Fault, NoArgs
from harness.history.records import MetBy
from harness.scenario.model import World
from harness.targets.base import PlaceKind


class StoreFull(Fault[NoArgs]):
    """Let every write to the store fail for want of space (SQLITE_FULL)."""

    kind: ClassVar[str] = "store.full"
    about: ClassVar[str] = "the disk of a store is full (SQLITE_FULL); it can still be read"
    worlds: ClassVar[tuple[World, ...]] = (World.SIM,)
    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.STORE,)
    trouble: ClassVar[str] = "FULL"

    _begun: Any = None

    @property
    def met_by(self) -> MetBy:
        """Whoever asks the disk meanwhile."""
        return MetBy.UNTOLD

    def inject(self) -> Mapping[str, Any]:
        """From now on."""
        # Only here: runs in the real world do without the simulated one.
        from harness.sim.machine.disk import DiskFault, disk_here

        if self.place.path is None:
            raise FaultError(f"{self.place.name} has no file: only a store on disk can be without space")
        self._begun = disk_here().begin(DiskFault[self.trouble], self.place.path)
        return {"disk": DiskFault[self.trouble].value}

    def heal(self) -> Mapping[str, Any]:
        """There is space again."""
        from harness.sim.machine.disk import disk_here

        begun, self._begun = self._begun, None
        if begun is not None:
            disk_here().end(begun)
        return {}


class StoreFailing(StoreFull):
    """Let every access to the store fail (SQLITE_IOERR), reading too."""

    kind: ClassVar[str] = "store.failing"
    about: ClassVar[str] = "the disk of a store fails, for reading too (SQLITE_IOERR)"
    trouble: ClassVar[str] = "IO_ERROR"
