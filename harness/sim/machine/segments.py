"""Shared memory segments of one world (shm_open(3)), on which ``multiprocessing.shared_memory`` is built.

Their memory is real, as `mmap` needs it, but has no name outside of the world: nothing is left in ``/dev/shm``, and
what another run has left there changes no history.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from harness.sim.machine.descriptors import failure
from harness.sim.machine.files import REAL_CLOSE, REAL_OPEN, FileCalls

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine


class Segments:
    """The names of one world, each with a real descriptor that keeps the memory."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._files = FileCalls(machine)
        self._kept: dict[str, int] = {}

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """``_posixshmem.shm_open``. Raises FileExistsError, FileNotFoundError."""
        self._machine.state()  # refuses the dead
        kept = self._kept.get(path)
        if kept is None and not flags & os.O_CREAT:
            raise failure(errno.ENOENT, path)
        if kept is not None and flags & os.O_CREAT and flags & os.O_EXCL:
            raise failure(errno.EEXIST, path)
        if kept is None:
            kept = self._kept[path] = os.memfd_create("segment", os.MFD_CLOEXEC)
            os.fchmod(kept, mode & ~self._machine.state().umask)
        # Anew, since whoever opens it has an offset and flags of its own.
        number = REAL_OPEN(f"/proc/self/fd/{kept}", flags & ~(os.O_CREAT | os.O_EXCL) | os.O_CLOEXEC)
        self._files.track(number, inheritable=False)
        return number

    def unlink(self, path: str) -> None:
        """``_posixshmem.shm_unlink``: who has it open keeps it. Raises FileNotFoundError."""
        self._machine.state()
        kept = self._kept.pop(path, None)
        if kept is None:
            raise failure(errno.ENOENT, path)
        REAL_CLOSE(kept)

    def close(self) -> None:
        """Let go of what is left, at the end of the world."""
        for kept in self._kept.values():
            REAL_CLOSE(kept)
        self._kept.clear()
