"""The working directories of simulated processes, of which an interpreter has only one at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from harness.sim.kernel import current_thread

if TYPE_CHECKING:
    from harness.sim.process import SimProcess

_FLAGS = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)


class Folders:
    """Goes to the folder of whichever process runs.

    Each process holds its folder open, as real ones do: it stays there when the folder gets another name, and going
    there takes a fraction of what looking a path up does.

    :ivar present: the folder in which the interpreter is; empty: one that no process wants.
    """

    def __init__(self) -> None:
        self.present = os.getcwd()  # noqa: PTH109 - a str, as os.chdir takes it
        self._held: dict[int, int] = {}
        self._chdir, self._fchdir, self._open, self._close = os.chdir, os.fchdir, os.open, os.close

    def enter(self, process: SimProcess) -> None:
        """Go to the folder of `process`, which is not the present one."""
        self.present = process.cwd
        try:
            held = self._held.get(process.pid)
            if held is None and process.alive:
                held = self.hold(process)
            if held is None:
                self._chdir(process.cwd)  # it is unwound, and has let go of its folder
            else:
                self._fchdir(held)
        except OSError:
            # Its folder was removed, which no process notices before it looks at relative names.
            self.present = ""

    def chdir(self, path: Any) -> None:
        """`os.chdir` of the calling process."""
        self._chdir(path)
        me = current_thread()
        if me is not None:
            self._let_go(me.process.pid)
            self.present = me.process.cwd = os.getcwd()  # noqa: PTH109 - a str, as os.chdir takes it

    def close(self) -> None:
        """Let go of every folder."""
        for pid in list(self._held):
            self._let_go(pid)

    def hold(self, process: SimProcess) -> int:
        """Open the folder of `process`, until its end. Raises OSError."""
        pid = process.pid
        held = self._held[pid] = self._open(process.cwd, _FLAGS)
        process.on_exit.append(lambda: self._let_go(pid))
        return held

    def _let_go(self, pid: int) -> None:
        held = self._held.pop(pid, None)
        if held is not None:
            self._close(held)
