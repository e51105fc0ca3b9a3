"""What a process has set for itself where the interpreter has one for all: niceness, limits, mask, socket time-out."""

from __future__ import annotations

import errno
import os
import resource
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.sim.machine.descriptors import failure

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.process import SimProcess

_LEAST, _MOST = -20, 19
_REAL_UMASK: Final = os.umask
_REAL_GETRLIMIT: Final = resource.getrlimit
_REAL_SETDEFAULTTIMEOUT: Final = socket.setdefaulttimeout

NAMES: Final = (
    *("getpriority", "setpriority", "nice", "umask"),
    *("sched_yield", "sched_getscheduler", "sched_getparam", "sched_getaffinity"),
)
"""What of `os` is replaced; on systems that do not have it, nothing."""


@dataclass
class _Settings:
    """Of one process; a child begins with its parent's."""

    niceness: int = 0
    limits: dict[int, tuple[int, int]] = field(default_factory=dict)
    socket_timeout: float | None = None


class OwnSettings:
    """Each method has the meaning and the errors of the function of `os`, `resource` or `socket` with its name.

    Nothing runs faster for being less nice, and limits limit nothing: they can be read again.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._kept: dict[int, _Settings] = {}
        self._affinity = getattr(os, "sched_getaffinity", None)
        self._found = self._present = -1
        """The interpreter's real mask of new files: before the world, and now; -1: it is left alone."""

    # -- for the machine

    def install(self, process: SimProcess) -> None:
        """Give the process that opens the world what the interpreter has."""
        self._found = self._present = _REAL_UMASK(0o022)
        _REAL_UMASK(self._found)
        self._machine.state(process).umask = self._found
        self._of(process).socket_timeout = socket.getdefaulttimeout()
        self._machine.kernel.on_enter.append(self.enter)

    def enter(self, process: SimProcess) -> None:
        """`process` gets the baton after another one: files that it makes are masked by its own mask."""
        wanted = self._machine.state(process).umask
        if wanted != self._present >= 0:
            self._present = wanted
            _REAL_UMASK(wanted)

    def remove(self) -> None:
        """Let the mask be what it was, and stay so."""
        if self._present != self._found:
            _REAL_UMASK(self._found)
        self._present = -1

    def inherit(self, process: SimProcess) -> None:
        """Begin with what the parent has."""
        if process.parent is not None:
            of = self._of(process.parent)
            self._kept[process.pid] = _Settings(of.niceness, dict(of.limits))

    def _of(self, process: SimProcess) -> _Settings:
        return self._kept.setdefault(process.pid, _Settings())

    def _mine(self) -> _Settings:
        return self._of(self._machine.kernel.current_process)

    def _one(self, pid: int) -> SimProcess:
        return self._machine.find(pid) if pid else self._machine.kernel.current_process

    # -- scheduling

    def sched_yield(self) -> None:
        """Let another thread have its turn, as ``time.sleep(0)``."""
        self._machine.kernel.yield_()

    def sched_getscheduler(self, pid: int, /) -> int:
        """The ordinary policy, of any process that there is."""
        self._one(pid)
        return os.SCHED_OTHER

    def sched_getparam(self, pid: int, /) -> os.sched_param:
        """The priority that the ordinary policy knows: 0."""
        self._one(pid)
        return os.sched_param(0)

    def sched_getaffinity(self, pid: int, /) -> set[int]:
        """The real processors, as ``os.cpu_count`` counts them."""
        self._one(pid)
        assert self._affinity is not None
        return self._affinity(0)  # type: ignore[no-any-return]

    def _meant(self, which: int, who: int) -> list[SimProcess]:
        me = self._machine.kernel.current_process
        if which == os.PRIO_PROCESS:
            return [self._one(who)]
        if which == os.PRIO_PGRP:
            found = [one for one in self._machine.existing() if one.group == (who or me.group)]
        elif which == os.PRIO_USER:
            found = self._machine.existing() if who in (0, os.getuid()) else []
        else:
            raise failure(errno.EINVAL)
        if not found:
            raise failure(errno.ESRCH)
        return found

    def getpriority(self, which: int, who: int) -> int:
        """The niceness of a process, the least of a group's or of all."""
        return min(self._of(process).niceness for process in self._meant(which, who))

    def setpriority(self, which: int, who: int, priority: int) -> None:
        """Set it. Raises OSError (EACCES): only root gets less nice."""
        wanted = min(max(priority, _LEAST), _MOST)
        meant = [self._of(process) for process in self._meant(which, who)]
        if os.geteuid() and any(wanted < one.niceness for one in meant):
            raise failure(errno.EACCES)
        for one in meant:
            one.niceness = wanted

    def nice(self, increment: int, /) -> int:
        """Be nicer; how nice. Raises OSError (EPERM): only root gets less nice."""
        mine = self._mine()
        wanted = min(max(mine.niceness + increment, _LEAST), _MOST)
        if os.geteuid() and wanted < mine.niceness:
            raise failure(errno.EPERM)
        mine.niceness = wanted
        return wanted

    # -- files, limits, sockets

    def umask(self, mask: int, /) -> int:
        """The mask of files that this process makes; the one before."""
        state = self._machine.state()
        before, state.umask = state.umask, mask & 0o777
        self.enter(state.process)
        return before

    def getrlimit(self, number: int, /) -> tuple[int, int]:
        """What this process or its ancestors have set, else the real limits. Raises ValueError."""
        real = _REAL_GETRLIMIT(number)
        return self._mine().limits.get(number, real)

    def setrlimit(self, number: int, limits: Any, /) -> None:
        """Set soft and hard limit. Raises ValueError as the real one does."""
        soft, hard = (int(limit) for limit in limits)
        _, highest = self.getrlimit(number)
        if _height(soft) > _height(hard):
            raise ValueError("current limit exceeds maximum limit")
        if os.geteuid() and _height(hard) > _height(highest):
            raise ValueError("not allowed to raise maximum limit")
        self._mine().limits[number] = (soft, hard)

    def getdefaulttimeout(self) -> float | None:
        """Seconds that new sockets of this process wait; None: for ever."""
        return self._mine().socket_timeout

    def setdefaulttimeout(self, timeout: Any, /) -> None:
        """Set it. Raises ValueError for less than nothing, TypeError for what is no number."""
        if timeout is not None:
            timeout = float(timeout)
            if timeout < 0:
                raise ValueError("Timeout value out of range")
        self._mine().socket_timeout = timeout


def _height(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
