"""A log file that is kept to a size, by several processes at once if need be, and whoever else moves it away."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["LogFile"]


class LogFile(RotatingFileHandler):
    """Appends to `path`; at `max_bytes` it is moved to ``path.1``, of which `backups` are kept. 0: it grows.

    Other tools may rotate it as well, without a signal: a file that was moved or removed is begun anew with the next
    line, one that was emptied (copytruncate) is continued at its new end. Several processes may have it open: one of
    them moves it, the others follow. Raises OSError when it cannot be opened.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        super().__init__(path, "a", max_bytes, backups, "utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, to the file that has the name now."""
        try:
            if not self._is_current():
                self._reopen()
        except OSError:
            self.handleError(record)
            return
        super().emit(record)

    def shouldRollover(self, record: logging.LogRecord) -> int:
        """Whether the file would become too large, by what others have written to it as well."""
        if self.stream is not None and self.maxBytes > 0:
            self.stream.seek(0, os.SEEK_END)  # from Python 3.13 on the base class looks at its own last place
        return super().shouldRollover(record)

    def doRollover(self) -> None:
        """Move the file away, unless another process has just done so."""
        if self.stream is not None:
            fcntl.flock(self.stream.fileno(), fcntl.LOCK_EX)
        if self._is_current():
            # Closes the file, which gives the lock back: whoever waited for it finds that this is no more the one.
            super().doRollover()
        else:
            self._reopen()

    def _is_current(self) -> bool:
        if self.stream is None:
            return True  # to be opened with the next line
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        stream = self.stream
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
        self.stream = self._open()
