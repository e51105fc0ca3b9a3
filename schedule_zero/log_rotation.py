"""Log files of children that are kept to a size, while the children go on writing.

A child's output goes straight to its file, not through the governor: it must neither be lost nor block when the
governor is slow or dead. So the file cannot be renamed, since the child would write on into the old one. What is in
it is copied away and the file is emptied; whoever has it open for appending goes on at its new end. A line that is
written in the microseconds between the last read and the emptying is lost.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["KEPT", "MAX_BYTES", "rotate"]

MAX_BYTES = 20 * 1024 * 1024
"""Bytes at which a log is moved away."""
KEPT = 5
"""How many earlier logs are kept: ``h1.log.1`` is the latest."""


def rotate(path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Move the contents of ``path`` to ``path.1`` when there are ``max_bytes`` of them (0: never); whether it was done.

    Raises OSError when the folder cannot be written.

    >>> import tempfile
    >>> log = Path(tempfile.mkdtemp()) / "h1.log"
    >>> _ = log.write_text("0123456789")
    >>> rotate(log, max_bytes=10), log.read_text(), log.with_name("h1.log.1").read_text()
    (True, '', '0123456789')
    """
    try:
        if not max_bytes or path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    part = _earlier(path, "part")
    try:
        with path.open("r+b") as log, part.open("wb") as copy:
            shutil.copyfileobj(log, copy, 1024 * 1024)
            _make_room(path, kept)
            part.replace(_earlier(path, 1))
            os.ftruncate(log.fileno(), 0)
    finally:
        part.unlink(missing_ok=True)
    return True


def _make_room(path: Path, kept: int) -> None:
    _earlier(path, kept).unlink(missing_ok=True)
    for number in range(kept - 1, 0, -1):
        if (old := _earlier(path, number)).exists():
            old.replace(_earlier(path, number + 1))


def _earlier(path: Path, number: int | str) -> Path:
    return path.with_name(f"{path.name}.{number}")
