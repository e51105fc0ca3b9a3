"""Pid files name one process for certain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from schedule_zero.pidfile import PidFile, PidRecord, is_alive, record_of

pytestmark = [pytest.mark.unit, pytest.mark.governor]


def test_a_file_names_a_living_process(tmp_path: Path) -> None:
    """What is written for a process that runs is read back and found alive, with psutil's create_time in it."""
    file = PidFile(tmp_path / "x" / "server.pid")

    file.write(os.getpid())

    assert is_alive(file.read())
    data = json.loads(file.path.read_text())
    assert (data["pid"], data["start_time"]) == (os.getpid(), psutil.Process().create_time())


def test_a_reused_number_is_not_the_process() -> None:
    """The same pid with another birth is somebody else, who must not be killed."""
    mine = record_of(os.getpid())
    assert mine is not None
    assert mine.birth is not None

    assert not is_alive(replace(mine, birth=mine.birth + "0"))
    assert not is_alive(replace(mine, birth=None, start_time=mine.start_time - 1.0))


def test_a_step_of_the_clock_does_not_make_it_a_stranger() -> None:
    """`create_time` moves when the clock is set; the birth that the kernel counts from boot decides."""
    mine = record_of(os.getpid())
    assert mine is not None

    assert is_alive(replace(mine, start_time=mine.start_time + 90.0))


def test_an_ended_process_is_not_alive() -> None:
    """A process that has ended counts as gone, already as a zombie."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = record_of(child.pid)
    assert is_alive(record)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet collected

    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert not is_alive(record)
    child.communicate()
    assert not is_alive(record)


@pytest.mark.parametrize(
    "text",
    ["", "4711", "{", "[]", '{"pid": 1}', '{"pid": "x", "start_time": 1}', '{"pid": -1, "start_time": 1}'],
)
def test_a_file_that_says_nothing_is_none(text: str, tmp_path: Path) -> None:
    """A torn, empty or foreign file names nobody; pid -1 would be everybody."""
    (tmp_path / "a.pid").write_text(text)

    assert PidFile(tmp_path / "a.pid").read() is None


def test_nobody_is_not_alive() -> None:
    """No record, no process."""
    assert not is_alive(None)
    assert not is_alive(PidRecord(2**22 + 1, 0.0))


def test_removing_twice_is_harmless(tmp_path: Path) -> None:
    """A pid file that is gone can be removed again."""
    file = PidFile(tmp_path / "a.pid")
    file.write(os.getpid())

    file.remove()
    file.remove()

    assert list(tmp_path.iterdir()) == []
