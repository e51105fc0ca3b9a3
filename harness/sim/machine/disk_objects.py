"""File objects over real files, which ask the simulated disk before each transfer.

`open` itself is that of `_pyio`, the standard library's own model of it, over the buffers of C and `DiskFileIO`: the
built-in one takes no class of ours for the raw file.
"""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found,unused-ignore]
import io
import os
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from harness.sim.thread import current_thread

if TYPE_CHECKING:
    from harness.sim.machine.disk import Disk

_OPEN: Final = getattr(_pyio.open, "__func__", _pyio.open)
_OF_C: Final = ("BufferedRandom", "BufferedReader", "BufferedWriter", "TextIOWrapper", "text_encoding")


class DiskFileIO(io.FileIO):
    """`io.FileIO` on a disk that may be in trouble: what the buffers above fetch and flush can fail.

    Outside of simulated threads, and once the world has ended, it is an ordinary one.
    """

    disk: Disk

    def _ask(self, *, writes: bool) -> None:
        if current_thread() is not None and not self.closed:
            self.disk.refuse(self.fileno(), writes=writes)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read once, or all. Raises OSError (EIO)."""
        self._ask(writes=False)
        return super().read(-1 if size is None else size)

    def readall(self) -> bytes:
        """Read to the end. Raises OSError (EIO)."""
        self._ask(writes=False)
        return super().readall()

    def readinto(self, buffer: Any, /) -> int:
        """Read once, into `buffer`. Raises OSError (EIO)."""
        self._ask(writes=False)
        return super().readinto(buffer)

    def write(self, data: Any, /) -> int:
        """Write once. Raises OSError (EIO, ENOSPC, EROFS)."""
        self._ask(writes=True)
        return super().write(data)

    def truncate(self, size: int | None = None, /) -> int:
        """Change the size. Raises OSError (EIO, ENOSPC, EROFS)."""
        self._ask(writes=True)
        return super().truncate(size)


def opening_on(disk: Disk) -> Callable[..., Any]:
    """The function `open` whose files ask `disk`; it does not ask for the opening itself."""
    raw = type("FileIO", (DiskFileIO,), {"disk": disk, "__module__": __name__})
    names = vars(_pyio)
    space = {name: names[name] for name in _OPEN.__code__.co_names if name in names}
    space |= {name: getattr(io, name) for name in _OF_C}
    space |= {"FileIO": raw, "__name__": __name__, "__builtins__": __builtins__}
    made = types.FunctionType(_OPEN.__code__, space, "open", _OPEN.__defaults__)
    made.__kwdefaults__ = _OPEN.__kwdefaults__
    return cast("Callable[..., Any]", made)


def flags_of(mode: str) -> int:
    """What ``os.open`` is told for this mode of `open`.

    >>> flags_of("rb") == os.O_RDONLY
    True
    """
    letters = set(mode)
    access = os.O_RDWR if "+" in letters else os.O_WRONLY if letters & set("wax") else os.O_RDONLY
    made = os.O_CREAT | os.O_EXCL if "x" in letters else os.O_CREAT if letters & set("wa") else 0
    return access | made
