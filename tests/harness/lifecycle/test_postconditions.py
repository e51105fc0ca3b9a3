"""Every search finds what it should find, and says how much it looked at."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import descent
from harness.lifecycle import postconditions

IDLE = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


@pytest.fixture
def child() -> Iterator[Any]:
    """A child with the tag ``run-1`` in its environment."""
    process = subprocess.Popen(
        IDLE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "HARNESS_RUN": "run-1"}
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_tagged_process_is_found_in_the_process_table(child: Any) -> None:
    """The environment tells whose it is; another run's tag finds nothing, and everything was looked at both
    times.
    """
    looked_at, found = postconditions.tagged_processes("run-1")
    assert [entry["pid"] for entry in found] == [child.pid]
    assert found[0]["parent"] == os.getpid()
    assert "sys.stdin.read()" in found[0]["command"]
    assert looked_at >= 2
    assert postconditions.tagged_processes("run-2")[1] == []
    assert postconditions.tagged_processes("run-1", ignore=[child.pid])[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="nothing but the environment tells there")
def test_a_daemon_with_a_cleared_environment_is_found_by_its_descent() -> None:
    """What a run started carries its mark, whatever it did to its environment, its session and its parents."""
    shell = "setsid sleep 333 </dev/null >/dev/null 2>&1 & echo $!"
    with descent.marked(descent.mark_of("run-3")):
        done = subprocess.run(["env", "-i", "/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    daemon = psutil.Process(int(done.stdout))
    try:
        assert [entry["pid"] for entry in postconditions.tagged_processes("run-3")[1]] == [daemon.pid]
        assert postconditions.tagged_processes("run-1")[1] == []
    finally:
        daemon.kill()


def test_a_zombie_is_no_orphan(child: Any) -> None:
    """A process that has ended and was not looked after holds nothing."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert postconditions.tagged_processes("run-1")[1] == []
    assert postconditions.survivors([(child.pid, 0.0)]) == (1, [])


def test_an_empty_tag_is_refused() -> None:
    """It would match every process without one."""
    with pytest.raises(ValueError, match="an empty tag marks no processes"):
        postconditions.tagged_processes("")


def test_survivors_are_told_from_reused_pids(child: Any) -> None:
    """The start time decides whether it is the same process."""
    started = psutil.Process(child.pid).create_time()
    looked_at, found = postconditions.survivors([(child.pid, started), (child.pid + 100_000_000, 1.0)])
    assert (looked_at, [entry["pid"] for entry in found]) == (2, [child.pid])
    assert postconditions.survivors([(child.pid, started - 60.0)]) == (1, [])


def test_pid_files_left_behind_and_those_that_lie(child: Any, tmp_path: Path) -> None:
    """After a stop any pid file is a left-over; only those that name no living process are stale."""
    started = psutil.Process(child.pid).create_time()
    (tmp_path / "live.pid").write_text(json.dumps({"pid": child.pid, "start_time": started, "birth": "x"}))
    (tmp_path / "plain.pid").write_text(f"{child.pid}\n")
    (tmp_path / "reused.pid").write_text(json.dumps({"pid": child.pid, "start_time": started - 99.0}))
    (tmp_path / "torn.pid").write_text('{"pid": 12')
    looked_at, found = postconditions.pid_files(tmp_path)
    assert looked_at == 5
    assert [(entry["path"].rpartition("/")[2], entry["runs"]) for entry in found] == [
        ("live.pid", True),
        ("plain.pid", True),
        ("reused.pid", False),
        ("torn.pid", False),
    ]
    stale = [entry["path"].rpartition("/")[2] for entry in postconditions.stale_pid_files(tmp_path)[1]]
    assert stale == ["reused.pid", "torn.pid"]


def test_an_empty_folder_is_a_proof_and_a_missing_one_is_none(tmp_path: Path) -> None:
    """Looking at nothing proves nothing."""
    assert postconditions.pid_files(tmp_path) == (1, [])
    assert postconditions.pid_files(tmp_path / "absent") == (0, [])


def test_a_port_that_is_listened_on_is_found_with_its_holder() -> None:
    """The port is named with the process that holds it, and is free once it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        looked_at, found = postconditions.bound_ports([port, port])
        assert (looked_at, found) == (
            1,
            [{"port": port, "host": "127.0.0.1", "pid": os.getpid(), "state": "LISTEN"}],
        )
        assert port in postconditions.listening_ports(psutil.Process())
    assert postconditions.bound_ports([port]) == (1, [])


def test_a_port_in_time_wait_is_free() -> None:
    """Connections that are on their way out hold no port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    assert postconditions.bound_ports([port]) == (1, [])


def test_files_that_were_not_there_before(tmp_path: Path) -> None:
    """What came into being since is found, where its name fits."""
    old = tmp_path / "old.tmp"
    old.touch()
    before = list(tmp_path.rglob("*"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "new.tmp").touch()
    (tmp_path / "keep.db").touch()
    looked_at, found = postconditions.left_files(tmp_path, before, patterns=["*.tmp"])
    assert (looked_at, found) == (4, [{"path": str(tmp_path / "deep" / "new.tmp")}])
