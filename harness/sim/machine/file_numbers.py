"""Calls of `os` that only real files answer, by the numbers that the calling process has for them."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.boundary.fences import refusal
from harness.sim.machine.descriptors import FIRST, failure
from harness.sim.machine.files import FileCalls, RealFile

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_SEEKS: Final = errno.ESPIPE
_READING: Final = {"pread": _SEEKS, "preadv": _SEEKS}
_WRITING: Final = {"pwrite": _SEEKS, "pwritev": _SEEKS, "posix_fallocate": _SEEKS, "ftruncate": errno.EINVAL}
_ASKING: Final = {"lseek": _SEEKS, "posix_fadvise": _SEEKS, "fchdir": errno.ENOTDIR, "ttyname": errno.ENOTTY}
_UNKNOWN: Final = ("fchmod", "fchown", "fstatvfs", "fpathconf")
_REFUSED: Final = 0
"""Instead of an error: nobody knows what a simulated pipe or socket would say."""

PATCHED: Final = tuple(
    name
    for name in (*_READING, *_WRITING, *_ASKING, *_UNKNOWN, "copy_file_range", "memfd_create", "sync", "truncate")
    if hasattr(os, name)
)
"""Names in `os` that `NumberCalls.simulated` replaces."""


class NumberCalls:
    """Finds the real file behind a number, asks the disk, calls the real function."""

    def __init__(self, machine: Machine, files: FileCalls) -> None:
        self._machine = machine
        self._files = files

    def simulated(self, name: str) -> Callable[..., Any]:
        """What stands for ``os.<name>``; it has that one's arguments, results and errors."""
        own = getattr(self, name, None)
        if own is not None:
            return own(getattr(os, name))  # type: ignore[no-any-return]
        code = {**_READING, **_WRITING, **_ASKING}.get(name, _REFUSED)
        return self._translating(name, getattr(os, name), code)

    def ioctl(self) -> Callable[..., Any]:
        """What stands for ``fcntl.ioctl``. Raises NotSimulated for simulated descriptors."""
        return self._translating("fcntl.ioctl", fcntl.ioctl, _REFUSED)

    def _translating(self, name: str, real: Callable[..., Any], code: int) -> Callable[..., Any]:
        disk = self._machine.disk
        ask = disk.before_read if name in _READING else disk.before_write if name in _WRITING else None

        def call(fd: Any, /, *args: Any, **kwargs: Any) -> Any:
            number = self._real(fd, name, code)
            if ask is not None:
                ask(number)
            return real(number, *args, **kwargs)

        return call

    def _real(self, fd: Any, name: str, code: int) -> int:
        """The real number of a real file. Raises OSError, NotSimulated."""
        number = fd if isinstance(fd, int) else fd.fileno()
        table = self._machine.state().table
        entry = table.entries.get(number)
        if entry is None:
            if number >= FIRST or table.closed or number in self._machine.ghosts:
                raise failure(errno.EBADF)
            return int(number)
        if isinstance(entry.file, RealFile):
            return entry.file.real
        if code == _REFUSED:
            raise refusal(f"{_dotted(name)} of a simulated {entry.file.kind}", "it is asked of real files alone")
        raise failure(code)

    def fchdir(self, real: Callable[[int], None]) -> Callable[[Any], None]:
        """``os.fchdir``: the working directory is the process's own, see ``os.chdir``."""
        del real

        def fchdir(fd: Any) -> None:
            os.chdir(self._real(fd, "fchdir", errno.ENOTDIR))

        return fchdir

    def copy_file_range(self, real: Callable[..., int]) -> Callable[..., int]:
        """``os.copy_file_range``, which wants two files."""

        def copy_file_range(
            src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None
        ) -> int:
            source, target = (self._real(one, "copy_file_range", errno.EINVAL) for one in (src, dst))
            self._machine.disk.before_read(source)
            self._machine.disk.before_write(target)
            return real(source, target, count, offset_src, offset_dst)

        return copy_file_range

    def truncate(self, real: Callable[[Any, int], None]) -> Callable[[Any, int], None]:
        """``os.truncate`` of a path or a number."""

        def truncate(path: Any, length: int) -> None:
            if isinstance(path, int):
                os.ftruncate(path, length)
                return
            self._machine.disk.before_open(path, os.O_WRONLY)
            real(path, length)

        return truncate

    def memfd_create(self, real: Callable[..., int]) -> Callable[..., int]:
        """``os.memfd_create``: a real file without a name, closed when its process dies."""

        def memfd_create(name: Any, flags: int = getattr(os, "MFD_CLOEXEC", 1)) -> int:
            number = real(name, flags)
            self._files.track(number, inheritable=not flags & getattr(os, "MFD_CLOEXEC", 1))
            return number

        return memfd_create

    def sync(self, real: Callable[[], None]) -> Callable[[], None]:
        """``os.sync``: the real disks are not waited for."""
        del real
        return self._machine.disk.synced_all


def _dotted(name: str) -> str:
    return name if "." in name else f"os.{name}"
