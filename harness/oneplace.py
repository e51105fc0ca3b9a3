"""A simulated run's folder under a name that is the same for every run.

Paths get into what a run does: they stand in configurations that are sent as messages, in endpoints, in records. Two
runs of one seed lie in different folders, and must not differ by that. So a simulated run knows its folder by
a descriptor of this process, which `/proc <https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html>`_ shows as a link:
nothing is left behind when the process ends, however it ends, and no other process can meet the name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.sim import World

NUMBER = 977
"""The descriptor: above what a harness has open by then, below the usual limit of 1,024."""
NAME = f"/proc/self/fd/{NUMBER}"
TEMPORARY = "tmp"
"""The folder in it that stands for the system's folder for temporary files."""

T = TypeVar("T")


class OnePlace:
    """A folder that is called `NAME` while the block lasts; also a part of the world that knows it by that name.

    Inside the world no way leads back to the folder's own name: ``os.path.realpath`` gives `NAME` again, and temporary
    files lie in it, so that runs of one seed at the same time do not meet there.

    Raises `HarnessError` when the descriptor is taken, or beyond the limit of open files.
    """

    BOUNDARY: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = Path(NAME)

    def __enter__(self) -> Self:
        try:
            fcntl.fcntl(NUMBER, fcntl.F_GETFD)
        except OSError:  # as it should be: nobody has it
            pass
        else:
            raise HarnessError(f"descriptor {NUMBER}, by which a simulated run knows its folder, is in use")
        opened = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.dup2(opened, NUMBER, inheritable=False)
        except OSError as error:
            raise HarnessError(
                f"a simulated run needs descriptor {NUMBER}: {error.strerror}; is the limit of open files "
                "(ulimit -n) at least 1024?"
            ) from error
        finally:
            os.close(opened)
        (self._folder / TEMPORARY).mkdir(exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(NUMBER)
        with contextlib.suppress(OSError):  # what was left in it is left to be seen
            (self._folder / TEMPORARY).rmdir()

    def install(self, world: World) -> None:
        """Have the world know the folder by its one name only."""
        own = os.path.realpath(self._folder)
        real = os.path.realpath

        def realpath(path: Any, **options: Any) -> Any:
            found = real(path, **options)
            if isinstance(found, str) and (found == own or found.startswith(own + os.sep)):
                return NAME + found[len(own) :]
            return found

        world.patcher.replace(os.path, "realpath", realpath)
        world.patcher.set(tempfile, "tempdir", str(self.path / TEMPORARY))
        # The module keeps its random names for the life of the interpreter; these begin with the world.
        world.patcher.set(tempfile, "_name_sequence", None)

    def remove(self) -> None:
        """Nothing that the patcher does not put back."""


def told(value: T) -> T:
    """A msgspec struct with every path in the folder written from the folder on, for readers outside of the run.

    >>> told(["/proc/self/fd/977/logs/h1.log"])
    ['logs/h1.log']
    """
    text = msgspec.json.encode(value, enc_hook=str)
    found: T = msgspec.json.decode(text.replace(f"{NAME}/".encode(), b""), type=type(value))
    return found
