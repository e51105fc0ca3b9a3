"""``os.waitid`` and ``os.wait3`` in both worlds: they know the children of the world, and no real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from harness.sim import NotSimulated, World

pytestmark = [pytest.mark.sim, pytest.mark.integration]


def child(code: str = "pass") -> subprocess.Popen[bytes]:
    """A Python that runs `code`."""
    return subprocess.Popen([sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("code", "how", "status"),
    [("raise SystemExit(3)", os.CLD_EXITED, 3), ("import os; os.kill(os.getpid(), 9)", os.CLD_KILLED, signal.SIGKILL)],
)
def test_waitid_tells_how_a_child_ended(world: Any, code: str, how: int, status: int) -> None:
    """It waits, tells pid, signal, way and status, and takes the child: a second call knows of none."""
    with child(code) as one:
        result = os.waitid(os.P_PID, one.pid, os.WEXITED)
        assert result is not None
        assert (result.si_pid, result.si_signo, result.si_code, result.si_status) == (
            one.pid,
            signal.SIGCHLD,
            how,
            status,
        )
        with pytest.raises(ChildProcessError):
            os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOHANG)


def test_waitid_leaves_a_child_to_be_asked_again(world: Any) -> None:
    """With WNOWAIT it looks only: the next one takes it; before its end WNOHANG says None."""
    with child("import time; time.sleep(0.5)") as one:
        assert os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOHANG) is None
        pidfd = os.pidfd_open(one.pid)
        looked = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
        os.close(pidfd)
        assert looked is not None
        assert one.wait() == 0
        assert looked.si_pid == one.pid


def test_waitid_of_a_group(world: Any) -> None:
    """P_PGID waits for whichever member ends first."""
    slow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
    quick = subprocess.Popen([sys.executable, "-c", "pass"], process_group=slow.pid)
    with slow, quick:
        result = os.waitid(os.P_PGID, slow.pid, os.WEXITED)
        slow.kill()
    assert result is not None
    assert result.si_pid == quick.pid


def test_waitid_refuses_nonsense(world: Any) -> None:
    """No kind of end to wait for, or an unknown kind of id, is EINVAL; no child is ECHILD; a file is no pidfd."""
    for arguments in ((os.P_PID, 1, 0), (os.P_PID, 1, os.WNOHANG), (77, 1, os.WEXITED)):
        with pytest.raises(OSError, match="Invalid argument"):
            os.waitid(*arguments)
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_PID, os.getpid(), os.WEXITED)


def test_stopped_children_are_not_told(sim: World) -> None:
    """In a world, who asks for stopped children alone is told that they are not simulated."""
    with child(), pytest.raises(NotSimulated, match=r"os\.waitid without WEXITED at .*test_reaping"):
        os.waitid(os.P_ALL, 0, os.WSTOPPED)


def test_wait3_takes_a_child(sim: World) -> None:
    """The end of whichever child, in virtual time; WNOHANG with (0, 0) before it."""
    one = child("import time; time.sleep(30); raise SystemExit(2)")
    assert os.wait3(os.WNOHANG)[:2] == (0, 0)
    pid, status, usage = os.wait3(0)
    assert (pid, os.waitstatus_to_exitcode(status)) == (one.pid, 2)
    assert usage.ru_utime == 0.0
    with pytest.raises(ChildProcessError):
        os.wait3(0)


def test_real_children_of_the_test_are_left_alone() -> None:
    """A real child that has ended before the world is nobody's there, and its test gets its status afterwards."""
    real = child("raise SystemExit(3)")
    os.waitid(os.P_PID, real.pid, os.WEXITED | os.WNOWAIT)
    begun = time.monotonic()
    with World():
        for wait in (
            lambda: os.waitid(os.P_ALL, 0, os.WEXITED),
            lambda: os.waitid(os.P_PID, real.pid, os.WEXITED),
            lambda: os.wait3(0),
        ):
            with pytest.raises(ChildProcessError):
                wait()
    assert time.monotonic() - begun < 30
    assert real.wait() == 3


def test_without_the_machine_waiting_is_fenced() -> None:
    """``World(machine=False)`` refuses to wait for real children, by every call."""
    with World(machine=False, zmq=False):
        for wait in (
            lambda: os.waitid(os.P_ALL, 0, os.WEXITED),
            lambda: os.wait3(0),
            lambda: os.wait4(-1, 0),
            lambda: os.waitpid(-1, 0),
            os.wait,
        ):
            with pytest.raises(NotSimulated, match="World\\(machine=True\\)"):
                wait()
