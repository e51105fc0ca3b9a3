"""The lock that lets one governor at a time have a deployment.

It is a flock(2): the system takes it back when its owner dies, however that happens, so it is never stale. The
file itself stays; it says who held it last.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from schedule_zero.errors import ScheduleZeroError

__all__ = ["DeploymentLock", "GovernorAlreadyRunning"]


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
    """Held from :meth:`acquire` to :meth:`release`, or to the end of the process."""

    def __init__(self, path: Path, deployment: str) -> None:
        self.path = path
        self.deployment = deployment
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once. Raises GovernorAlreadyRunning when anybody, also this process, holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).strip()
            os.close(descriptor)
            raise GovernorAlreadyRunning(self.deployment, int(holder) if holder.isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; without it, nothing happens."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)
