"""Files of the real file system, tracked by process: a death closes them, what was not written is lost.

The bytes are real; only who has them open is simulated. When a process dies its descriptors are turned into
``/dev/null``: the system drops their locks, as at a real death, and what dead buffers may still flush goes nowhere.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import io
import os
import stat
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.boundary.fences import refusal
from harness.sim.errors import NotSimulated
from harness.sim.machine.descriptor_paths import named
from harness.sim.machine.descriptors import FIRST, Descriptor, DescriptorTable, OpenFile, failure
from harness.sim.machine.disk_objects import flags_of, opening_on
from harness.sim.machine.fileobjects import open_number, raw_of

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.machine.machine import Machine

REAL_OPEN: Final = os.open
REAL_CLOSE: Final = os.close
REAL_DUP: Final = os.dup
REAL_DUP2: Final = os.dup2
REAL_READ: Final = os.read
REAL_WRITE: Final = os.write
REAL_FSTAT: Final = os.fstat
REAL_FLOCK: Final = fcntl.flock
REAL_IO_OPEN: Final = builtins.open
_OPENER: Final = 5
"""Arguments of `open` after the mode that come before ``opener``."""
_LOOK_AGAIN: Final = 10_000
"""Microseconds between two tries for a lock whose release nobody announces (a file object closed in C)."""


class RealFile(OpenFile):
    """One real descriptor. It is closed by the last simulated number that stands for it.

    C code may have taken it over and closed it, as ``FileIO(os.open(...))`` does wherever bytecode is cached: then the
    number is free, or somebody else's, and is left alone.
    """

    kind = "real"

    def __init__(self, kernel: Kernel, machine: Machine, real: int) -> None:
        super().__init__(kernel, f"file {real}")
        self.machine = machine
        self.real = real
        self.dead = False
        self._identity = _identity(real)

    def read(self, size: int) -> bytes:
        """From the real file; never waits."""
        return REAL_READ(self.real, size)

    def write(self, data: bytes) -> int:
        """To the real file, unless its disk refuses."""
        self.machine.disk.before_write(self.real)
        return REAL_WRITE(self.real, data)

    def status(self) -> os.stat_result:
        """Of the real file."""
        return REAL_FSTAT(self.real)

    def ended(self) -> None:
        """Close it, or let it be a ghost when its owner is dead: others may remember the number."""
        if self.dead and self._is_ours():
            self.machine.become_ghost(self.real)
        elif not self.dead:
            self.close()
        self.machine.locks_changed()

    def close(self) -> None:
        """Close it now, unless it is closed."""
        if self._is_ours():
            REAL_CLOSE(self.real)

    def _is_ours(self) -> bool:
        return _identity(self.real) == self._identity


def _identity(number: int) -> tuple[int, int] | None:
    """Which file a real descriptor stands for; None: it is closed."""
    try:
        status = REAL_FSTAT(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class FileCalls:
    """``os.open``, ``os.close``, ``os.dup``, ``open``, ``fcntl.flock`` as programs call them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._disk_open = opening_on(machine.disk)

    def open_file(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """``os.open``."""
        machine = self._machine
        state = machine.state()  # refuses the dead
        path, special = self._look_up(path, flags, dir_fd)
        if special is not None:
            return state.table.add(special).number
        machine.disk.before_open(path, flags)
        number = REAL_OPEN(path, flags, mode, dir_fd=dir_fd)
        self.track(number, inheritable=False)
        return number

    def _look_up(self, path: Any, flags: int, dir_fd: int | None = None) -> tuple[Any, OpenFile | None]:
        """The path for the real system, and what stands for a file that is no ordinary one. Raises NotSimulated."""
        path, special = named(self._machine, path, flags)
        special = special or self._machine.about.special(path)
        if special is None:
            try:
                mode = os.stat(path, dir_fd=dir_fd).st_mode
            except (OSError, ValueError, TypeError):
                return path, None  # whoever opens it says what is wrong
            if stat.S_ISFIFO(mode):
                raise refusal(f"open({os.fspath(path)!r}) of a FIFO", "it would wait in real time; use os.pipe")
        return path, special

    def track(self, number: int, *, inheritable: bool) -> Descriptor:
        """Have the running process own a real descriptor, under its number."""
        machine = self._machine
        table = machine.state().table
        stale = table.entries.get(number)
        if stale is not None and isinstance(stale.file, RealFile) and stale.file.real == number:
            # Closed behind our back, by C code that had taken it over: the number is free, and ours.
            del table.entries[number]
        return table.add(RealFile(machine.kernel, machine, number), number, inheritable=inheritable)

    def close(self, number: int) -> None:
        """``os.close``. A dead process closes nothing."""
        machine = self._machine
        table = machine.state().table
        if number in table.entries:
            table.close(number)
            return
        if number >= FIRST or table.closed or number in machine.ghosts:
            raise failure(errno.EBADF)
        REAL_CLOSE(number)

    def closerange(self, low: int, high: int) -> None:
        """``os.closerange``, of what this process has opened in the world."""
        table = self._machine.state().table
        for number in [number for number in table.entries if low <= number < high]:
            table.close(number)

    def dup(self, number: int) -> int:
        """``os.dup``."""
        machine = self._machine
        table = machine.state().table
        entry = table.entries.get(number)
        if entry is not None and not isinstance(entry.file, RealFile):
            return table.add(entry.file).number
        real = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else number
        copy = REAL_DUP(real)
        self.track(copy, inheritable=False)
        return copy

    def dup2(self, number: int, wanted: int, inheritable: bool = True) -> int:
        """``os.dup2``: onto a standard stream of a simulated process, or onto any number it has."""
        machine = self._machine
        table = machine.state().table
        entry = table.entries.get(number)
        if number == wanted:
            if entry is None:
                REAL_FSTAT(number)
            return wanted
        if entry is None and wanted not in table.entries and not machine.is_child():
            return REAL_DUP2(number, wanted, inheritable)  # what the test runner does to its own output
        if wanted > 2 and wanted not in table.entries:
            raise NotSimulated(f"os.dup2(…, {wanted}) onto a descriptor from outside of the world is not simulated")
        file: OpenFile
        if entry is not None and not isinstance(entry.file, RealFile):
            file = entry.file
        else:
            real = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else number
            file = RealFile(machine.kernel, machine, REAL_DUP(real))
        table.add(file, wanted, inheritable=inheritable)
        return wanted

    def open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """The built-in `open`."""
        machine = self._machine
        state = machine.state()
        if isinstance(file, int):
            opened = self._open_number(state.table, file, mode, args, kwargs)
        else:
            path, special = self._look_up(file, flags_of(mode))
            if special is not None:
                opened = self._numbered(state.table.add(special).number, mode, *args, **kwargs)
                raw_of(opened).name = file
                return opened
            if not (kwargs.get("opener") or any(args[_OPENER:])):  # which comes to `os.open`, where the disk is asked
                machine.disk.before_open(path, flags_of(mode))
                if path is not file:
                    kwargs["opener"] = lambda _, flags: REAL_OPEN(path, flags)  # it keeps the name it was asked for by
            opened = self._disk_open(file, mode, *args, **kwargs)
            # It closes its number in C, also one that an opener has got from `os.open`.
            state.table.entries.pop(opened.fileno(), None)
        self._follow(opened)
        return opened

    def _open_number(self, table: DescriptorTable, number: int, mode: str, args: Any, kwargs: Any) -> Any:
        entry = table.entries.get(number)
        if entry is not None and not isinstance(entry.file, RealFile):
            return self._numbered(number, mode, *args, **kwargs)
        if entry is None and number >= FIRST:
            raise failure(errno.EBADF)
        if entry is None or not isinstance(entry.file, RealFile):
            return self._disk_open(number, mode, *args, **kwargs)
        opened = self._disk_open(entry.file.real, mode, *args, **kwargs)
        if kwargs.get("closefd", True) and (len(args) < 5 or args[4]) and entry.file.real == number:
            # The file object owns it from now on and will close it in C.
            del table.entries[number]
        return opened

    def _numbered(self, number: int, mode: str, *args: Any, **kwargs: Any) -> Any:
        opened = open_number(number, mode, *args, **kwargs)
        self._machine.keepers.add(raw_of(opened))
        return opened

    def _follow(self, opened: Any) -> None:
        with contextlib.suppress(TypeError):
            self._machine.state().files.add(opened)

    def flock(self, fd: Any, operation: int) -> None:
        """``fcntl.flock``; waits in virtual time. Raises BlockingIOError when told not to wait."""
        machine = self._machine
        number = fd if isinstance(fd, int) else fd.fileno()
        entry = machine.state().table.entries.get(number)
        real = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else number
        if operation & fcntl.LOCK_UN:
            REAL_FLOCK(real, operation)
            machine.locks_changed()
            return
        while True:
            try:
                REAL_FLOCK(real, operation | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if operation & fcntl.LOCK_NB:
                    raise
            machine.lock_waiters.wait(_LOOK_AGAIN)


def silence(files: weakref.WeakSet[Any], ghost: Callable[[int], None]) -> None:
    """Make what dead file objects may still flush go nowhere."""
    for file in list(files):
        raw = _raw(file)
        if raw is not None and not raw.closed and stat.S_ISREG(REAL_FSTAT(raw.fileno()).st_mode):
            ghost(raw.fileno())


def shut(files: weakref.WeakSet[Any]) -> None:
    """Close what stands for dead file objects, at the end of the world; nothing is flushed.

    Whoever keeps such an object, as a logger does its handler's, has one that is closed, and no descriptor.
    """
    for file in list(files):
        raw = _raw(file)
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.close()


def _raw(file: Any) -> io.FileIO | None:
    """The real file under a file object; None when it is not of C, or taken apart."""
    with contextlib.suppress(AttributeError, ValueError):
        for _ in range(2):
            if isinstance(file, io.FileIO):
                break
            file = file.buffer if isinstance(file, io.TextIOWrapper) else file.raw
    return file if isinstance(file, io.FileIO) else None


def flush(files: weakref.WeakSet[Any]) -> None:
    """Write what file objects still hold, as the end of the interpreter does."""
    for file in sorted(files, key=id):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if not file.closed and file.writable():
                file.flush()
