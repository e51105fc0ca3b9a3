"""The calls of module `os` that take a descriptor."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from harness.sim.errors import NotSimulated
from harness.sim.machine.descriptors import FIRST, Descriptor, failure
from harness.sim.machine.files import REAL_FSTAT, REAL_READ, REAL_WRITE, RealFile
from harness.sim.machine.pipes import pipe

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_REAL_SET_INHERITABLE = os.set_inheritable
_REAL_GET_INHERITABLE = os.get_inheritable
_REAL_SET_BLOCKING = os.set_blocking
_REAL_GET_BLOCKING = os.get_blocking
_REAL_ISATTY = os.isatty
_REAL_SENDFILE = os.sendfile
_REAL_LSEEK = os.lseek
_REAL_PREAD = os.pread
_AT_ONCE = 1 << 20
"""Bytes that one call of ``sendfile`` sends at most."""


class OsCalls:
    """Each method has the meaning and the errors of the function of `os` with its name."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def _entry(self, number: int) -> Descriptor | None:
        """The descriptor; None for a real one from outside of the world. Raises OSError (EBADF)."""
        table = self._machine.state().table
        entry = table.entries.get(number)
        if entry is None and (number >= FIRST or table.closed or number in self._machine.ghosts):
            raise failure(errno.EBADF)
        return entry

    def pipe(self) -> tuple[int, int]:
        """A pipe; neither end is inherited by children unless it is passed."""
        machine = self._machine
        table = machine.state().table
        reader, writer = pipe(machine.kernel, machine.name_of("pipe"))
        return table.add(reader).number, table.add(writer).number

    def pipe2(self, flags: int) -> tuple[int, int]:
        """A pipe with O_NONBLOCK and O_CLOEXEC as asked for."""
        numbers = self.pipe()
        table = self._machine.state().table
        for number in numbers:
            table.entries[number].file.nonblocking = bool(flags & os.O_NONBLOCK)
            table.entries[number].inheritable = not flags & os.O_CLOEXEC
        return numbers

    def read(self, number: int, size: int) -> bytes:
        """Read once."""
        entry = self._entry(number)
        if entry is None:
            _require_ready(number)
            self._machine.disk.before_read(number)
            return REAL_READ(number, size)
        if isinstance(entry.file, RealFile):
            self._machine.disk.before_read(entry.file.real)
            return entry.file.read(size)
        with entry.table.holding(entry.file):
            return entry.file.read(size)

    def write(self, number: int, data: Any) -> int:
        """Write once."""
        entry = self._entry(number)
        if entry is None:
            self._machine.disk.before_write(number)
            return REAL_WRITE(number, data)
        if isinstance(entry.file, RealFile):
            return entry.file.write(data)
        with entry.table.holding(entry.file):
            return entry.file.write(bytes(data))

    def writev(self, number: int, buffers: Any) -> int:
        """Write several buffers at once."""
        return self.write(number, b"".join(bytes(one) for one in buffers))

    def readv(self, number: int, buffers: Any) -> int:
        """Read once, into several buffers."""
        views = [memoryview(one).cast("B") for one in buffers]
        data = self.read(number, sum(len(view) for view in views))
        left = memoryview(data)
        for view in views:
            part = left[: len(view)]
            view[: len(part)] = part
            left = left[len(part) :]
        return len(data)

    def sendfile(self, out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
        """Write what is read of a file; `offset` None: from its position, which goes on by what was written."""
        entry, source = self._entry(out_fd), self._entry(in_fd)
        if source is not None and isinstance(source.file, RealFile):
            in_fd = source.file.real
        elif source is not None:
            raise failure(errno.EINVAL)  # as of a pipe, which cannot be mapped
        self._machine.disk.before_read(in_fd)
        if entry is None or isinstance(entry.file, RealFile):
            target = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else out_fd
            self._machine.disk.before_write(target)
            return _REAL_SENDFILE(target, in_fd, offset, count)
        start = _REAL_LSEEK(in_fd, 0, os.SEEK_CUR) if offset is None else offset
        data = _REAL_PREAD(in_fd, min(count, _AT_ONCE), start)
        sent = self.write(out_fd, data) if data else 0
        if offset is None:
            _REAL_LSEEK(in_fd, start + sent, os.SEEK_SET)
        return sent

    def fstat(self, number: int) -> os.stat_result:
        """The status of the open file."""
        entry = self._entry(number)
        return REAL_FSTAT(number) if entry is None else entry.file.status()

    def set_inheritable(self, number: int, inheritable: bool) -> None:
        """Whether a child gets it without its being passed by name."""
        entry = self._entry(number)
        if entry is None:
            _REAL_SET_INHERITABLE(number, inheritable)
        else:
            entry.inheritable = bool(inheritable)

    def get_inheritable(self, number: int) -> bool:
        """Whether a child gets it."""
        entry = self._entry(number)
        return _REAL_GET_INHERITABLE(number) if entry is None else entry.inheritable

    def set_blocking(self, number: int, blocking: bool) -> None:
        """Set or clear O_NONBLOCK of the open file."""
        entry = self._entry(number)
        if entry is None:
            _REAL_SET_BLOCKING(number, blocking)
        else:
            entry.file.nonblocking = not blocking

    def get_blocking(self, number: int) -> bool:
        """Whether O_NONBLOCK is clear."""
        entry = self._entry(number)
        return _REAL_GET_BLOCKING(number) if entry is None else not entry.file.nonblocking

    def isatty(self, number: int) -> bool:
        """False for whatever is simulated or not open."""
        try:
            return _REAL_ISATTY(number) if self._entry(number) is None else False
        except OSError:
            return False

    def fsync(self, fd: Any) -> None:
        """Make a real file durable (see `disk`). Raises OSError (EINVAL) for pipes and sockets."""
        number = fd if isinstance(fd, int) else fd.fileno()
        entry = self._entry(number)
        if entry is not None and not isinstance(entry.file, RealFile):
            raise failure(errno.EINVAL)
        real = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else number
        # Waiting for the real disk would prove nothing: what survives a loss of power is for the simulated one to say.
        self._machine.disk.synced(real)

    def fdatasync(self, fd: Any) -> None:
        """`fsync`."""
        self.fsync(fd)


def _require_ready(number: int) -> None:
    """Refuse to read what might make the whole world wait for something real."""
    mode = REAL_FSTAT(number).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise NotSimulated(f"reading real descriptor {number} is not simulated: open the pipe or socket in the world")
