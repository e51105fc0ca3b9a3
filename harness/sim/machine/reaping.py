"""The younger calls that wait for children: ``os.waitid``, ``os.wait3``."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Any, Final

from harness.sim.boundary.fences import refusal
from harness.sim.machine.children import ChildCalls, PidFile
from harness.sim.machine.descriptors import failure
from harness.sim.polling import not_yet

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.machine.state import OsState
    from harness.sim.process import SimProcess

_KINDS: Final = os.WEXITED | os.WSTOPPED | os.WCONTINUED
_FLAGS: Final = _KINDS | os.WNOHANG | os.WNOWAIT


class Reaping:
    """Each method has the meaning and the errors of the function of `os` with its name."""

    def __init__(self, machine: Machine, children: ChildCalls) -> None:
        self._machine = machine
        self._children = children

    def wait3(self, options: int) -> tuple[int, int, Any]:
        """``os.wait3``; nobody uses resources."""
        return self._children.wait4(-1, options)

    def waitid(self, idtype: int, ident: int, options: int, /) -> os.waitid_result | None:
        """How a child has ended, which stays to be asked with WNOWAIT; None: with WNOHANG, none has.

        :raises NotSimulated: only stopped or continued children are asked for (WSTOPPED, WCONTINUED).
        """
        if not options & _KINDS or options & ~_FLAGS:
            raise failure(errno.EINVAL)
        if not options & os.WEXITED:
            raise refusal("os.waitid without WEXITED", "only the end of a child is told to its parent")
        state = self._machine.state()
        wanted = self._wanted(state, idtype, ident)
        child = self._ended(state, wanted, options)
        if child is None:
            return None
        code = child.exit_code or 0
        if not options & os.WNOWAIT:
            self._children.waitpid(child.pid, os.WNOHANG)
        how, status = (os.CLD_KILLED, -code) if code < 0 else (os.CLD_EXITED, code & 0xFF)
        return os.waitid_result((child.pid, os.getuid(), int(signal.SIGCHLD), status, how))

    def _wanted(self, state: OsState, idtype: int, ident: int) -> list[SimProcess]:
        """The children that are meant, also those that live. Raises OSError (EINVAL, EBADF, ECHILD)."""
        children = state.children
        if idtype == getattr(os, "P_PIDFD", 3):
            file = state.table.get(ident).file
            if not isinstance(file, PidFile):
                raise failure(errno.EBADF)
            idtype, ident = os.P_PID, file.process.pid
        if idtype == os.P_PID:
            found = [children[ident]] if ident in children else []
        elif idtype == os.P_PGID:
            found = [child for child in children.values() if child.group == (ident or state.process.group)]
        elif idtype == os.P_ALL:
            found = list(children.values())
        else:
            raise failure(errno.EINVAL)
        if not found:
            raise failure(errno.ECHILD)
        return found

    def _ended(self, state: OsState, wanted: list[SimProcess], options: int) -> SimProcess | None:
        """The first that has ended, which is waited for unless told not to. Raises OSError (ECHILD)."""
        while True:
            dead = next((child for child in wanted if not child.alive), None)
            if dead is not None:
                return dead
            if options & os.WNOHANG:
                not_yet()
                return None
            if len(wanted) == 1:
                wanted[0].exited.wait()
            else:
                state.child_ended.wait()
            wanted = [child for child in wanted if child.pid in state.children]
            if not wanted:
                raise failure(errno.ECHILD)  # ignored SIGCHLD, or another thread was quicker
