"""The lock that lets one governor at a time have a deployment.

It is a flock(2): the system takes it back when its owner dies, however that happens, so it is never stale. The
file itself stays; it says who held it last.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.files import make_folder

__all__ = ["DeploymentLock", "GovernorAlreadyRunning", "holder", "is_locked"]

_LOOKS = 0.1  # seconds for which a lock must stay taken: whoever only looks at it has it for microseconds
_TICK = 0.01


class GovernorAlreadyRunning(ScheduleZeroError):
    """Another governor has this deployment; ``pid`` is its process id where known."""

    def __init__(self, deployment: str, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"deployment {deployment!r} is already governed by {who}; stop that governor first "
            f"(schedule-zero governor stop --deployment {deployment})"
        )
        self.pid = pid


class DeploymentLock:
    """Held from :meth:`acquire` to :meth:`release`, or to the end of the process.

    >>> import tempfile
    >>> lock = DeploymentLock(Path(tempfile.mkdtemp()) / "governor.lock", "shop")
    >>> lock.acquire()
    >>> (lock.is_held, is_locked(lock.path), holder(lock.path) == os.getpid())
    (True, True, True)
    >>> lock.release()
    """

    def __init__(self, path: Path, deployment: str) -> None:
        self.path = path
        self.deployment = deployment
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is held through this object."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock. Raises GovernorAlreadyRunning when anybody, also this process, holds it for 0.1 s."""
        make_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _take(descriptor):
            holder = _written(descriptor)
            os.close(descriptor)
            raise GovernorAlreadyRunning(self.deployment, holder)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; without it, nothing happens."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock at `path`; a file that is not there is held by nobody.

    Raises OSError when the file is there and cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look do not see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> int | None:
    """The process id that the holder of the lock has written; None when it is not known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _written(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    deadline = time.monotonic() + _LOOKS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK)
        else:
            return True


def _written(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
