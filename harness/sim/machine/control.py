"""``fcntl.fcntl`` on simulated descriptors."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import NotSimulated
from harness.sim.machine.descriptors import FIRST, Descriptor, failure
from harness.sim.machine.files import RealFile

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_LOCKS: Final = frozenset({fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW})
_DUPLICATES: Final = frozenset({fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC})


class Control:
    """``fcntl.fcntl`` of one machine."""

    def __init__(self, machine: Machine, real: Callable[..., Any]) -> None:
        self._machine = machine
        self._real = real

    def fcntl(self, fd: Any, cmd: int, arg: Any = 0) -> Any:
        """Get and set flags, make duplicates. Raises NotSimulated for locks, OSError (EBADF, EINVAL)."""
        if cmd in _LOCKS:
            raise NotSimulated("fcntl(F_SETLK) is not simulated: POSIX locks belong to the one real process; use flock")
        number = fd if isinstance(fd, int) else fd.fileno()
        table = self._machine.state().table
        entry = table.entries.get(number)
        if entry is None:
            if number >= FIRST or table.closed:
                raise failure(errno.EBADF)
            return self._real(number, cmd, arg)
        if cmd in _DUPLICATES:
            made = os.dup(number)
            os.set_inheritable(made, cmd == fcntl.F_DUPFD)
            return made
        if isinstance(entry.file, RealFile) and cmd not in (fcntl.F_GETFD, fcntl.F_SETFD):
            return self._real(entry.file.real, cmd, arg)
        return self._flags(entry, cmd, arg)

    def _flags(self, entry: Descriptor, cmd: int, arg: Any) -> int:
        if cmd == fcntl.F_GETFD:
            return 0 if entry.inheritable else fcntl.FD_CLOEXEC
        if cmd == fcntl.F_SETFD:
            entry.inheritable = not arg & fcntl.FD_CLOEXEC
            return 0
        if cmd == fcntl.F_GETFL:
            return os.O_RDWR | (os.O_NONBLOCK if entry.file.nonblocking else 0)
        if cmd == fcntl.F_SETFL:
            entry.file.nonblocking = bool(arg & os.O_NONBLOCK)
            return 0
        raise failure(errno.EINVAL)
