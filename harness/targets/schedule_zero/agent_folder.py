"""Where the agents of a run have their sockets: a short path, since a socket's may have 107 bytes only."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "hx-"


class AgentFolder:
    """A new folder in the system's folder for temporary files, at `path`, until `close`.

    It is locked for as long as it is in use: a run that finds one which nobody holds, its owner having been killed,
    clears it away. A number of a process would not do, since processes with another view of them (containers, the
    simulated world) share the folder.
    """

    def __init__(self) -> None:
        root = Path(tempfile.gettempdir())
        for left in sorted(root.glob(f"{_PREFIX}*")):
            _clear(left)
        # Under another name until it is locked: nobody may take it for a left-over meanwhile.
        made = Path(tempfile.mkdtemp(prefix="new-hx-", dir=root))
        self._lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = root / made.name.removeprefix("new-")
        made.rename(self.path)

    def close(self) -> None:
        """Remove it; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _clear(left: Path) -> None:
    """Remove a folder that nobody holds."""
    try:
        lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # gone by now, or no folder, or somebody else's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    except BlockingIOError:
        pass  # in use
    finally:
        os.close(lock)
