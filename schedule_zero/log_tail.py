"""The end of a log file, also while it grows and is rotated."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["end_of", "follow", "last_lines"]

_BLOCK = 64 * 1024
_PAUSE = 0.1  # seconds between two looks at a file that has not grown


def last_lines(path: Path, count: int, end: int | None = None) -> list[str]:
    """The last ``count`` lines before ``end`` (bytes; None: all there is); those of the log before (``path.1``) where
    this one has been begun only just.

    Raises FileNotFoundError when there is no file.
    """
    lines = _tail(path, count, end)
    earlier = path.with_name(f"{path.name}.1")
    if len(lines) < count and earlier.exists():
        lines = _tail(earlier, count - len(lines), None) + lines
    return lines


def follow(
    path: Path, position: int, ended: Callable[[], bool] = lambda: False, pause: float = _PAUSE
) -> Iterator[str]:
    """Every line after ``position`` (bytes), until ``ended()``; looks every ``pause`` seconds.

    A file that is replaced, or emptied, by a rotation is followed from its new beginning; one that is not there yet is
    waited for. A line is answered when it is complete.
    """
    identity, rest = _identity(path), b""
    while not ended():
        now = _identity(path)
        if now is not None and (now != identity or end_of(path) < position):
            position, identity, rest = 0, now, b""
        grown = _read(path, position)
        position += len(grown)
        *complete, rest = (rest + grown).split(b"\n")
        for line in complete:
            yield line.decode("utf-8", "replace")
        if not grown:
            time.sleep(pause)


def _tail(path: Path, count: int, end: int | None) -> list[str]:
    if count <= 0:
        return []
    with path.open("rb") as log:
        text = _last_bytes(log, count, end)
    return text.decode("utf-8", "replace").splitlines()[-count:]


def _last_bytes(log: BinaryIO, lines: int, end: int | None) -> bytes:
    """Enough bytes from the end to hold so many lines: a log of 20 MiB is not read for ten of them."""
    at = log.seek(0, os.SEEK_END) if end is None else end
    text = b""
    while at > 0 and text.count(b"\n") <= lines:
        size = min(_BLOCK, at)
        at -= size
        log.seek(at)
        text = log.read(size) + text
    return text


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(position)
            return log.read(_BLOCK)
    except FileNotFoundError:
        return b""


def end_of(path: Path) -> int:
    """How many bytes a file has; 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _identity(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
