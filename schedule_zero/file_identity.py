"""Whether the files that SQLite has open are still those at their paths.

A file that is removed, or replaced by another of its name (``rm``, ``mv``, ``git checkout``, a restored copy), lives on
for whoever has it open: SQLite goes on without an error, and all that it is given is gone at the next start.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from schedule_zero.store_errors import StoreReplaced

__all__ = ["OpenFiles"]

_Identity = tuple[int, int]


class OpenFiles:
    """The database file at `path` and its write-ahead log, as they were opened.

    Example::

        files = OpenFiles(path)
        files.opened()  # there is a connection, and it has written
        if (error := files.replaced()) is not None:
            raise error
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = Path(f"{path}-wal")
        self._file: _Identity | None = None
        self._log: _Identity | None = None

    def opened(self) -> None:
        """Remember them. The database file of the first time is the one for good; its log is another one after all
        connections were closed.
        """
        self._file = self._file or _identity(self._path)
        self._log = _identity(self._log_path)

    def replaced(self, *, log: bool = True) -> StoreReplaced | None:
        """What is wrong, in two looks at the folder (some microseconds); `log` False leaves the log out.

        None too where the folder cannot be looked into: whether SQLite can work then, it tells itself.
        """
        with contextlib.suppress(OSError):
            if self._file is not None and _identity(self._path) != self._file:
                return StoreReplaced(self._path)
            if log and self._log is not None and _identity(self._log_path) != self._log:
                return StoreReplaced(self._log_path)
        return None


def _identity(path: Path) -> _Identity | None:
    """Device and number of a file; None when there is none. Raises OSError when it cannot be told."""
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast, once a commit
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
