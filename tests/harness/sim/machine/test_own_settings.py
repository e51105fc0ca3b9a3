"""Niceness, scheduling, limits, file mask, time-out of sockets: each process has its own, the real one keeps its."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.sim import NotSimulated, World

pytestmark = [pytest.mark.sim, pytest.mark.unit]


def said(code: str) -> str:
    """What a child prints that runs `code`."""
    imports = "import os, resource, socket; "
    return subprocess.run([sys.executable, "-c", imports + code], capture_output=True, text=True, check=True).stdout


def test_the_priority_of_oneself_is_known(world: Any) -> None:
    """By its own pid and by 0 a process finds its priority, policy and processors; an unknown pid is ESRCH."""
    for pid in (0, os.getpid()):
        before = os.getpriority(os.PRIO_PROCESS, pid)
        os.setpriority(os.PRIO_PROCESS, pid, before)
        assert os.sched_getscheduler(pid) == os.SCHED_OTHER
        assert os.sched_getparam(pid).sched_priority == 0
        assert os.sched_getaffinity(pid)
    with pytest.raises(ProcessLookupError):
        os.sched_getaffinity(2**22 + 1)
    with pytest.raises(OSError, match="Invalid argument"):
        os.getpriority(77, 0)
    assert os.sched_yield() is None  # type: ignore[func-returns-value]


def test_niceness_is_inherited_and_stays_in_the_world() -> None:
    """A child begins with its parent's, changes its own alone; the real process is as nice as it was."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with World():
        assert os.nice(3) == 3
        assert said("print(os.nice(0), os.nice(4), os.nice(99))") == "3 7 19\n"
        assert os.getpriority(os.PRIO_PROCESS, 0) == 3
        assert os.getpriority(os.PRIO_PGRP, 0) == 3
        assert os.getpriority(os.PRIO_USER, 0) == 3
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_sched_yield_gives_another_thread_its_turn(sim: World) -> None:
    """Who yields until another thread has done its part comes to an end, at the same instant."""
    done: list[int] = []
    thread = threading.Thread(target=done.append, args=(1,))
    thread.start()
    while not done:
        os.sched_yield()
    thread.join()
    assert sim.elapsed == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: os.sched_setaffinity(0, {0}),
        lambda: os.setuid(0),
        lambda: os.setgroups([]),
        lambda: os.chroot("/"),
        lambda: os.lockf(0, os.F_TLOCK, 0),
    ],
)
def test_what_would_change_the_real_process_is_refused(sim: World, call: Any) -> None:
    """Users, processors, root folder, POSIX locks belong to the one real process; the line is named."""
    with pytest.raises(NotSimulated, match=r"the one real process.*python -m harness\.sim\.boundary"):
        call()


def test_limits_can_be_read_again() -> None:
    """A limit that is set is told, to children too; the real one stays, and what is impossible is refused."""
    real = resource.getrlimit(resource.RLIMIT_NOFILE)
    with World():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, real[1]))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, real[1])
        assert said("print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])") == "64\n"
        with pytest.raises(ValueError, match="current limit exceeds maximum"):
            resource.setrlimit(resource.RLIMIT_NOFILE, (65, 64))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == real


def test_each_process_masks_its_files(tmp_path: Path) -> None:
    """A child begins with its parent's mask and changes its own; who opened the world has the old one afterwards."""
    before = os.umask(0o022)
    try:
        with World():
            assert os.umask(0o027) == 0o022
            child = f"print(oct(os.umask(0o077))); open({str(tmp_path / 'child')!r}, 'w').close()"
            assert said(child) == "0o27\n"
            (tmp_path / "mine").touch()
        assert os.umask(0o022) == 0o022
        assert (tmp_path / "child").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_the_time_out_of_new_sockets_is_the_processs_own() -> None:
    """A default for sockets holds for this process's, not for its children's, and not after the world."""
    with World():
        socket.setdefaulttimeout(2.5)
        with socket.socket() as one:
            assert one.gettimeout() == 2.5
        assert said("print(socket.getdefaulttimeout())") == "None\n"
        with pytest.raises(ValueError, match="out of range"):
            socket.setdefaulttimeout(-1)
    assert socket.getdefaulttimeout() is None
