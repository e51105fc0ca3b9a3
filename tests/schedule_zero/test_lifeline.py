"""The pipe whose end tells that the parent died."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from schedule_zero.lifeline import Lifeline

pytestmark = pytest.mark.unit


def test_end_of_the_pipe_is_noticed() -> None:
    """Closing the writing end, in whatever way, calls on_lost within seconds."""
    reader, writer = os.pipe()
    lost = threading.Event()
    Lifeline(reader, lost.set).start()
    os.write(writer, b"data is not the end")
    assert not lost.wait(0.1)

    os.close(writer)

    assert lost.wait(5.0)


def test_kill_of_the_parent_is_noticed() -> None:
    """The system closes the writing end of a process that is killed with SIGKILL."""
    reader, writer = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[writer])
    os.close(writer)
    lost = threading.Event()
    Lifeline(reader, lost.set).start()
    assert not lost.wait(0.1)

    parent.kill()
    parent.communicate(timeout=10.0)

    assert lost.wait(5.0)


def test_close_stops_watching() -> None:
    """After close, the end of the pipe means nothing, and the descriptor is closed."""
    reader, writer = os.pipe()
    lost = threading.Event()
    lifeline = Lifeline(reader, lost.set)
    lifeline.start()
    lifeline.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)
    assert not lost.is_set()


def test_no_descriptor() -> None:
    """A number that is no open descriptor is refused at start."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Lifeline(reader, print).start()
