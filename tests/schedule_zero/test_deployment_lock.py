"""One governor a deployment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schedule_zero.deployment_lock import DeploymentLock, GovernorAlreadyRunning

pytestmark = [pytest.mark.unit, pytest.mark.governor]


def test_a_held_lock_is_refused_at_once(tmp_path: Path) -> None:
    """The second who asks is told who holds it, in the same process too."""
    first, second = (DeploymentLock(tmp_path / "governor.lock", "shop") for _ in range(2))
    first.acquire()
    try:
        with pytest.raises(
            GovernorAlreadyRunning, match=rf"'shop' is already governed by process {os.getpid()};"
        ) as caught:
            second.acquire()
        assert caught.value.pid == os.getpid()
    finally:
        first.release()

    second.acquire()
    second.release()


def test_a_killed_holder_gives_it_back(tmp_path: Path) -> None:
    """SIGKILL of the holder frees the lock: there is no stale lock to be removed by hand."""
    code = (
        "import sys, time; from pathlib import Path; from schedule_zero.deployment_lock import DeploymentLock;"
        "lock = DeploymentLock(Path(sys.argv[1]), 'shop'); lock.acquire(); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    lock = DeploymentLock(tmp_path / "governor.lock", "shop")
    with subprocess.Popen([sys.executable, "-c", code, str(lock.path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(GovernorAlreadyRunning) as caught:
            lock.acquire()
        assert caught.value.pid == holder.pid
        holder.send_signal(signal.SIGKILL)

    lock.acquire()
    lock.release()


def test_releasing_what_is_not_held_is_harmless(tmp_path: Path) -> None:
    """A governor that never started can be stopped."""
    DeploymentLock(tmp_path / "governor.lock", "shop").release()

    assert list(tmp_path.iterdir()) == []
