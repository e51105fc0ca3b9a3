"""A world's own folder for temporary files, under a name that is the same in every run.

The names that `tempfile` draws come from the world's seed; but what an earlier run left behind, or one at the same time
has made, would make it draw again. So each world has a folder to itself. The folder's own name differs from run to run,
and paths get into what programs do (endpoints, messages, records): inside the world it goes by a descriptor of this
process, which `/proc <https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html>`_ shows as a link. It is removed with
all that is in it when the world ends, or, where the process was killed, when the next world begins: what is to be
looked at afterwards belongs into a folder of one's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable
from typing import Any

from harness.folders import LockedFolder
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How

NUMBER = 978
"""The descriptor: above what a program has open by then, below the usual limit of 1,024."""
NAME = f"/proc/self/fd/{NUMBER}"

BOUNDARY = (
    Boundary(
        "tempfile",
        How.SIMULATED,
        "names come from the seed; they lie in a folder of the world's own, which is removed at its end",
    ),
)


class TemporaryFiles:
    """The folder of one world, from `install` to `remove`.

    Where there is no ``/proc``, or the descriptor is taken or beyond the limit of open files (``ulimit -n``), the
    folder is known by its own name, and histories in which that shows differ from run to run.

    :ivar path: what the world calls it.
    """

    def __init__(self) -> None:
        self.path = ""
        self._folder: LockedFolder | None = None
        self._own = ""
        self._open = False

    def install(self, patcher: Patcher) -> None:
        """Make the folder, and let temporary files lie in it."""
        self._folder = LockedFolder("hw-")
        self._own = os.path.realpath(self._folder.path)
        self._open = _open_as(self._own, NUMBER)
        self.path = NAME if self._open else self._own
        patcher.set(tempfile, "tempdir", self.path)
        # The module keeps its names for the life of the interpreter; these begin with the world.
        patcher.set(tempfile, "_name_sequence", None)
        if self._open:
            patcher.replace(os.path, "realpath", self._renaming(os.path.realpath))
            patcher.replace(os, "getcwd", self._renaming(os.getcwd))
            patcher.replace(os, "getcwdb", self._renaming(os.getcwdb))

    def _renaming(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A function that answers paths, so that none leads back to the folder's own name."""
        names: dict[type[Any], tuple[Any, Any]] = {
            str: (self._own, NAME),
            bytes: (os.fsencode(self._own), os.fsencode(NAME)),
        }

        def call(*arguments: Any, **options: Any) -> Any:
            found = real(*arguments, **options)
            pair = names.get(type(found))
            if pair is None or not found.startswith(pair[0]):
                return found
            rest = found[len(pair[0]) :]
            return found if rest and rest[:1] not in ("/", b"/") else pair[1] + rest

        return call

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        if self._open:
            with contextlib.suppress(OSError):
                os.close(NUMBER)
            self._open = False
        if self._folder is not None:
            self._folder.close()
            self._folder = None


def _open_as(folder: str, number: int) -> bool:
    """Open `folder` under `number`; False: that cannot be done here."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(number, fcntl.F_GETFD)
        return False  # somebody has it
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.dup2(opened, number, inheritable=False)
    except OSError:
        return False
    finally:
        os.close(opened)
    if os.path.isdir(f"/proc/self/fd/{number}"):  # noqa: PTH112 - a name that pathlib would not make nicer
        return True
    os.close(number)
    return False
