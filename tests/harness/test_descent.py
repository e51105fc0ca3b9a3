"""The mark that no environment, session or parent is needed for."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness import descent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no such limits: nothing is marked")

MARK = descent.mark_of("this test")
DAEMON = "setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $!"
"""A shell that ends at once, and leaves a process in a session of its own."""

Started = Callable[[str], int]


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts the daemon with nothing in its environment; what is left of it ends with the test."""
    pids: list[int] = []

    def start(shell: str = DAEMON) -> int:
        done = subprocess.run(["env", "-i", "/bin/sh", "-c", shell], check=True, capture_output=True, text=True)
        pids.append(int(done.stdout))
        return pids[-1]

    yield start
    for pid in pids:
        psutil.Process(pid).kill()


def test_a_daemon_with_a_cleared_environment_carries_the_mark_it_was_started_under(started: Started) -> None:
    """It has no parent of ours, no variable of ours and no session of ours; one that came later has no mark."""
    with descent.marked(MARK):
        daemon = started(DAEMON)
    later = started(DAEMON)

    assert MARK not in (descent.mark_of("another"), 0)
    assert descent.carries(daemon, MARK)
    assert not descent.carries(daemon, descent.mark_of("another"))
    assert not descent.carries(later, MARK)
    found = descent.carriers(MARK)
    assert daemon in found
    assert later not in found
    assert os.getpid() not in found


def test_a_process_that_is_marked_passes_it_on_and_nobody_else_gets_it(started: Started) -> None:
    """Also what it had started before it was marked; what this process starts meanwhile is a stranger to it."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo; read go; sleep 61"], stdin=-1, stdout=-1) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdout.readline()  # the first child is there
        (early,) = psutil.Process(shell.pid).children()
        descent.mark(shell.pid, MARK)
        stranger = started(DAEMON)
        shell.stdin.write(b"\n")
        shell.stdin.flush()
        try:
            late = _second_child(shell.pid)
            assert [descent.carries(one, MARK) for one in (shell.pid, early.pid, late.pid)] == [True, True, True]
            assert not descent.carries(stranger, MARK)
            assert not descent.carries(os.getpid(), MARK)
        finally:
            for child in psutil.Process(shell.pid).children():
                child.kill()
            shell.kill()
    descent.mark(shell.pid, MARK)  # it has ended, and so nothing happens


def _second_child(pid: int) -> psutil.Process:
    deadline = time.monotonic() + 10.0
    while len(children := psutil.Process(pid).children()) < 2:
        assert time.monotonic() < deadline, "the second child never came"
        time.sleep(0.01)
    return children[1]


def test_the_limit_of_this_process_is_afterwards_what_it_was() -> None:
    """Also when marks nest, and when the block raises."""
    before = resource.prlimit(0, 10)
    with pytest.raises(KeyError), descent.marked(MARK):  # noqa: PT012 - what holds inside is the point
        assert resource.prlimit(0, 10) == (MARK, before[1])
        with descent.marked(7):
            assert resource.prlimit(0, 10)[0] == 7
        assert resource.prlimit(0, 10)[0] == MARK
        raise KeyError
    assert resource.prlimit(0, 10) == before


def test_processes_of_other_users_are_told_by_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may not be asked of the kernel directly stands in ``/proc``, also of a limit that nobody set."""
    with descent.marked(MARK):
        child = subprocess.Popen(["sleep", "60"])
    expected = [resource.prlimit(one, 10) for one in (child.pid, os.getpid())]

    def refuse(*_: object) -> None:
        raise PermissionError

    try:
        monkeypatch.setattr(resource, "prlimit", refuse)
        assert [descent._limits(one) for one in (child.pid, os.getpid())] == expected
        assert descent.carries(child.pid, MARK)
        assert not descent.carries(2**22 + 1, MARK)
    finally:
        child.kill()
        child.wait()


def test_a_zombie_holds_nothing_and_is_none_of_them() -> None:
    """It has ended; who did not wait for it is told otherwise."""
    with descent.marked(MARK):
        child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert child.pid not in descent.carriers(MARK)
    child.wait()


def test_where_there_is_no_such_limit_nothing_is_marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on macOS, and in the simulated world: the block runs, and nobody carries anything."""
    monkeypatch.delattr(resource, "prlimit")
    with descent.marked(MARK):
        (tmp_path / "ran").touch()
        assert not descent.carries(os.getpid(), MARK)
        assert descent.carriers(MARK) == []
    assert (tmp_path / "ran").exists()
