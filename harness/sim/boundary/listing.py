"""Folders are listed by name: their own order is the file system's, and differs from machine to machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import current_thread

_BY_NAME = "files are real; they are listed in the order of their names, so that it is one on every file system"

BOUNDARY = (
    Boundary("os.listdir", How.SIMULATED, _BY_NAME),
    Boundary("os.scandir", How.SIMULATED, _BY_NAME),
)


class Listing:
    """What `os.scandir` returns: an iterator that can be closed."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def close(self) -> None:
        """There is nothing more to come."""
        self._entries = iter(())

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def install(patcher: Patcher) -> None:
    """Sort what `os.listdir` and `os.scandir` give to simulated threads; `glob`, `os.walk`, `pathlib` use those."""
    real_list, real_scan = os.listdir, os.scandir

    def listdir(path: Any = None) -> list[Any]:
        names = real_list(path)
        if current_thread() is not None:
            names.sort()
        return names

    def scandir(path: Any = None) -> Any:
        found = real_scan(path)
        if current_thread() is None:
            return found
        with found:
            return Listing(sorted(found, key=lambda entry: entry.name))

    for real, simulated in ((real_list, listdir), (real_scan, scandir)):
        simulated.__doc__ = real.__doc__
        patcher.replace(os, simulated.__name__, simulated)
