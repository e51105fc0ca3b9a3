"""What the operating system tells of itself: processor times, load, name, up-time."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.boundary.process_state import HOST
from harness.sim.boundary.registry import Boundary, How
from harness.sim.machine.descriptors import OpenFile

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_REAL_UNAME: Final = os.uname
_USAGE: Final = 16
"""Fields of ``struct rusage`` (getrusage(2))."""

_TIME: Final = "processor time is time.process_time, which is virtual"

BOUNDARY = (
    Boundary("os.times", How.SIMULATED, _TIME),
    Boundary("os.getloadavg", How.SIMULATED, "nothing runs"),
    Boundary("os.uname", How.SIMULATED, "the name of the simulated machine; system and release are the real ones"),
    Boundary("resource.getrusage", How.SIMULATED, f"{_TIME}; memory and all else are 0"),
    Boundary("resource.prlimit", How.SIMULATED, "the one real process keeps its limits: there is none (ENOSYS)"),
    Boundary("ssl.RAND_bytes", How.SIMULATED, "draws from os.urandom, which is simulated"),
    Boundary("/dev/random", How.SIMULATED, "draws from os.urandom, which is simulated"),
    Boundary("/dev/urandom", How.SIMULATED, "draws from os.urandom, which is simulated"),
    Boundary("/proc/loadavg", How.SIMULATED, "nothing runs"),
    Boundary("/proc/uptime", How.SIMULATED, "the virtual monotonic clock"),
    Boundary("/proc", How.PASSED, "all else in it tells of the one real process and the real machine"),
)


class AboutCalls:
    """Each method has the meaning of the function of `os`, `resource` or `ssl` with its name."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def _monotonic(self) -> float:
        return time.monotonic()  # the simulated one, which counts who reads it over and over

    def times(self) -> os.times_result:
        """User time, and the time that passed, both virtual."""
        now = self._monotonic()
        return os.times_result((now, 0.0, 0.0, 0.0, now))

    def getloadavg(self) -> tuple[float, float, float]:
        """Of a machine on which nothing else runs."""
        return (0.0, 0.0, 0.0)

    def uname(self) -> os.uname_result:
        """The real system under the name of the simulated machine."""
        real = _REAL_UNAME()
        return os.uname_result((real.sysname, HOST, real.release, real.version, real.machine))

    def getrusage(self, who: int, /) -> resource.struct_rusage:
        """User time is virtual. Raises ValueError for an unknown `who`."""
        if who not in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN, getattr(resource, "RUSAGE_THREAD", 1)):
            raise ValueError("invalid who parameter")
        used = 0.0 if who == resource.RUSAGE_CHILDREN else self._monotonic()
        return resource.struct_rusage((used, 0.0, *(0,) * (_USAGE - 2)))

    @staticmethod
    def prlimit(pid: int, number: int, limits: Any = None, /) -> tuple[int, int]:
        """As on a system that does not have it."""
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    @staticmethod
    def random_bytes(num: int, /) -> bytes:
        """``ssl.RAND_bytes``."""
        if num < 0:
            raise ValueError("num must be positive")
        return os.urandom(num)

    def special(self, path: Any) -> OpenFile | None:
        """What stands for a file that is no file; None: `path` is not one of those."""
        make = _SPECIAL.get(os.fspath(path)) if isinstance(path, str | os.PathLike) else None
        return None if make is None else make(self)


class EntropyFile(OpenFile):
    """``/dev/urandom``."""

    kind = "random"

    def read(self, size: int) -> bytes:
        """As many bytes as asked for."""
        return os.urandom(size)

    def write(self, data: bytes) -> int:
        """What is written stirs the pool, which here is the seed's."""
        return len(data)


class TextFile(OpenFile):
    """A file of ``/proc``, with what it said when it was opened."""

    kind = "proc"

    def __init__(self, machine: Machine, what: str, text: str) -> None:
        super().__init__(machine.kernel, what)
        self._left = text.encode()

    def read(self, size: int) -> bytes:
        """The next bytes."""
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def _entropy(calls: AboutCalls) -> OpenFile:
    return EntropyFile(calls._machine.kernel, "a source of chance")


def _uptime(calls: AboutCalls) -> OpenFile:
    now = calls._monotonic()
    return TextFile(calls._machine, "/proc/uptime", f"{now:.2f} {now:.2f}\n")


def _load(calls: AboutCalls) -> OpenFile:
    return TextFile(calls._machine, "/proc/loadavg", "0.00 0.00 0.00 1/1 1\n")


_SPECIAL: Final[dict[Any, Callable[[AboutCalls], OpenFile]]] = {
    "/dev/random": _entropy,
    "/dev/urandom": _entropy,
    "/proc/loadavg": _load,
    "/proc/uptime": _uptime,
}
