"""A fault by hand, at whatever a test holds."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from harness.errors import FaultError, UsageError
from harness.faults.direct import fault
from harness.mocks.behaviours import Silent
from harness.mocks.peer import Peer


def test_a_process_by_popen_psutil_and_pid(spawn: Any) -> None:
    """All three mean the same child."""
    child = spawn()
    for where in (child, psutil.Process(child.pid), child.pid):
        with fault("process.pause", where):
            assert psutil.Process(child.pid).status() == psutil.STATUS_STOPPED
    assert psutil.Process(child.pid).status() != psutil.STATUS_STOPPED


def test_a_store_by_its_path(tmp_path: Path) -> None:
    """A path is an SQLite store."""
    path = tmp_path / "jobs.db"
    connection = sqlite3.connect(path, timeout=0)
    connection.execute("CREATE TABLE t (x)")
    with fault("store.locked", path), pytest.raises(sqlite3.OperationalError, match="locked"):
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()


def test_a_socket_and_a_mock() -> None:
    """Live objects are places too."""
    context = zmq.Context()
    with fault("zmq.state", context.socket(zmq.REQ), how="recv-first") as poisoned:
        assert poisoned.place.name == "REQ socket"
    context.destroy(linger=0)
    mock = Peer("h1")
    with fault("handler.silent", mock):
        assert mock.behaviour == Silent()


def test_a_free_pid_and_a_wrong_object_are_refused(spawn: Any) -> None:
    """The error says what was expected."""
    child = spawn()
    child.kill()
    child.wait()
    with pytest.raises(FaultError, match=f"no process has pid {child.pid}"):
        fault("process.kill", child.pid)
    with pytest.raises(UsageError, match=r"expected a store, found 'jobs\.db'"):
        fault("store.locked", "jobs.db")
    with pytest.raises(UsageError, match=r"store\.locked acts on a store; "):
        fault("store.locked", psutil.Process().pid)


def test_it_is_healed_when_the_body_fails(spawn: Any) -> None:
    """An assertion inside the block does not leave a process frozen."""
    child = psutil.Process(spawn().pid)
    with pytest.raises(ZeroDivisionError), fault("process.pause", child):
        _ = 1 / 0
    assert child.status() != psutil.STATUS_STOPPED
