"""Folders for temporary files that a killed process does not leave for good."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path


class LockedFolder:
    """A new folder in the system's folder for temporary files, at `path`, until `close`; its name begins with `prefix`.

    It is locked for as long as it is in use: the next one of this prefix that is made clears away those which nobody
    holds, their owners having been killed. A number of a process would not do, since processes with another view of
    them (containers, the simulated world) share the folder.

    >>> folder = LockedFolder("example-")
    >>> folder.path.is_dir(), folder.close(), folder.path.exists()
    (True, None, False)
    """

    def __init__(self, prefix: str) -> None:
        root = Path(tempfile.gettempdir())
        for left in sorted(root.glob(f"{prefix}*")):
            _clear(left)
        # Under another name until it is locked: nobody may take it for a left-over meanwhile.
        made = Path(tempfile.mkdtemp(prefix=f"new-{prefix}", dir=root))
        self.descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        """Holds the lock. What is duplicated from it holds it as well."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = root / made.name.removeprefix("new-")
        made.rename(self.path)

    def close(self) -> None:
        """Remove it; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _clear(left: Path) -> None:
    """Remove a folder that nobody holds."""
    try:
        lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # gone by now, or no folder, or somebody else's
    try:
        with contextlib.suppress(BlockingIOError):  # in use
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(lock)
