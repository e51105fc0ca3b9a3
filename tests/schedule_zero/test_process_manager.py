"""One real child process: group, lifeline, pid file, log."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from schedule_zero.barriers import listen
from schedule_zero.process_manager import ProcessManager

pytestmark = [pytest.mark.integration, pytest.mark.governor]

Until = Callable[..., None]
SLEEPER = "import sys, time; print('up', sys.argv[1:], flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);print('up', flush=True); time.sleep(60)"
)
FAMILY = (
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(p.pid, flush=True); time.sleep(60)"
)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ProcessManager]:
    """A manager whose child is ended with the test."""
    manager = ProcessManager("child", log_path=tmp_path / "logs" / "child.log", pid_path=tmp_path / "child.pid")
    yield manager
    manager.kill()
    manager.wait(5.0)


def python(code: str) -> list[str]:
    """The command that runs this code."""
    return [sys.executable, "-c", code]


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie that init has not fetched yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def output(manager: ProcessManager) -> str:
    """What the child has written so far."""
    return manager.log_path.read_text() if manager.log_path.exists() else ""


def test_a_child_leads_its_own_session(manager: ProcessManager, until: Until) -> None:
    """A Ctrl-C at the governor's terminal reaches the governor only."""
    pid = manager.spawn(python(SLEEPER))

    assert os.getsid(pid) == os.getpgid(pid) == pid == manager.pid
    assert json.loads((manager.pid_file.path).read_text())["pid"] == pid
    until(lambda: "up ['--lifeline-fd'" in output(manager), what="the child's output in its log")


def test_a_stopped_child_leaves_nothing(manager: ProcessManager, until: Until) -> None:
    """SIGTERM ends a willing child; its pid file, its pipe and the process are gone."""
    fds = psutil.Process().num_fds()
    pid = manager.spawn(python(SLEEPER))
    until(lambda: "up" in output(manager), what="the child is up")

    assert manager.stop(10.0) == -signal.SIGTERM

    assert not psutil.pid_exists(pid)
    assert (manager.pid, manager.pid_file.path.exists(), psutil.Process().num_fds()) == (None, False, fds)


def test_a_child_that_ignores_sigterm_is_killed(manager: ProcessManager, until: Until) -> None:
    """After the time-out SIGKILL ends what SIGTERM did not."""
    manager.spawn(python(STUBBORN))
    until(lambda: "up" in output(manager), what="the child ignores SIGTERM")

    assert manager.stop(0.1) == -signal.SIGKILL


def test_grandchildren_end_with_a_child_that_crashed(manager: ProcessManager, until: Until) -> None:
    """What a crashed child leaves in its group is ended when the crash is noticed."""
    pid = manager.spawn(python(FAMILY))
    until(lambda: output(manager).strip().isdigit(), what="the grandchild's pid")
    grandchild = psutil.Process(int(output(manager)))

    os.kill(pid, signal.SIGKILL)
    until(lambda: manager.poll() == -signal.SIGKILL or manager.pid is None, what="the crash is noticed")

    until(lambda: not alive(grandchild), what="its end")
    assert (alive(grandchild), manager.pid, manager.pid_file.path.exists()) == (False, None, False)


def test_the_lifeline_ends_only_with_the_governor(manager: ProcessManager, until: Until) -> None:
    """The child's end of the pipe reads nothing while the governor lives and EOF once its end is closed."""
    manager.spawn(
        python("import os, sys; print('waits', flush=True); os.read(int(sys.argv[-1]), 1); print('orphan')")
    )
    until(lambda: "waits" in output(manager), what="the child waits")
    assert manager.poll() is None

    manager._cut_lifeline()

    assert manager.wait(10.0) == 0
    assert output(manager).split() == ["waits", "orphan"]


def test_a_second_child_does_not_hold_the_lifeline_of_the_first(
    manager: ProcessManager, tmp_path: Path
) -> None:
    """Were the writing end inherited, a living sibling would keep an orphan from noticing."""
    other = ProcessManager("other", log_path=tmp_path / "other.log", pid_path=tmp_path / "other.pid")
    manager.spawn(python("import os, sys; os.read(int(sys.argv[-1]), 1)"))
    other.spawn(python(SLEEPER))
    try:
        manager._cut_lifeline()

        assert manager.wait(10.0) == 0
    finally:
        other.stop()


def test_two_children_at_once_are_refused(manager: ProcessManager) -> None:
    """A manager holds one child; a second would orphan the first."""
    pid = manager.spawn(python(SLEEPER))

    with pytest.raises(RuntimeError, match=f"process {pid} has not been cleared away"):
        manager.spawn(python(SLEEPER))


def test_a_command_that_does_not_exist_leaves_nothing(manager: ProcessManager) -> None:
    """A failed start raises, and leaves no descriptor and no pid file."""
    fds = psutil.Process().num_fds()

    with pytest.raises(FileNotFoundError):
        manager.spawn(["/nonexistent/python"])

    assert (psutil.Process().num_fds(), manager.pid_file.path.exists(), manager.pid) == (fds, False, None)


def test_the_last_lines_are_those_of_the_latest_child(manager: ProcessManager) -> None:
    """An error message must not quote the log of an earlier start."""
    manager.spawn(python("print('first')"))
    assert manager.wait(10.0) == 0
    manager.spawn(python("import sys; print('one\\ntwo'); sys.exit(3)"))

    assert manager.wait(10.0) == 3
    assert manager.last_lines(1) == "two"
    assert manager.last_lines() == "one | two"
    assert output(manager) == "first\none\ntwo\n"


def test_a_start_is_a_barrier(manager: ProcessManager) -> None:
    """Scenarios can strike at the moment a child has been started."""
    seen: list[tuple[str, int]] = []
    unsubscribe = listen("governor.spawned", lambda name, pid: seen.append((name, pid)))
    try:
        pid = manager.spawn(python(SLEEPER))
    finally:
        unsubscribe()

    assert seen == [("child", pid)]


def test_a_child_that_stands_still_hears_of_its_end(manager: ProcessManager, until: Until) -> None:
    """Whoever stopped it (and was killed before it could let it go on) does not keep it from ending in good order."""
    pid = manager.spawn(python(SLEEPER))
    until(lambda: output(manager), "the child to be up")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the child to stand still")

    manager.terminate()

    assert manager.wait(10.0) == -signal.SIGTERM


def test_a_child_whose_pid_file_cannot_be_written_does_not_run(tmp_path: Path) -> None:
    """On a full disk the start fails whole: an orphan without a pid file is found by no later governor."""
    (tmp_path / "file").touch()
    manager = ProcessManager("child", log_path=tmp_path / "child.log", pid_path=tmp_path / "file" / "child.pid")
    before = (psutil.Process().num_fds(), psutil.Process().children())

    with pytest.raises(OSError, match="file"):
        manager.spawn(python(SLEEPER))

    assert (psutil.Process().num_fds(), psutil.Process().children(), manager.pid) == (*before, None)


def test_what_a_child_costs_is_known(manager: ProcessManager, until: Until) -> None:
    """Memory, time and threads while it runs, nothing before and after."""
    assert manager.usage() == {}
    manager.spawn(python(SLEEPER))
    until(lambda: "up" in output(manager), what="the child is up")

    usage = manager.usage()

    assert 1_000_000 < usage["rss"] < 1_000_000_000
    assert 0.0 <= usage["cpu"] < 60.0
    assert usage["threads"] >= 1
    manager.stop()
    assert manager.usage() == {}
