"""What becomes of a run whose harness is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from harness.sim import World
from harness.targets.schedule_zero.agent_folder import AgentFolder

pytestmark = pytest.mark.integration

SCENARIO = """\
scenario: 1
name: killed
kind: load
target: {driver: schedule_zero}
topology: {handlers: {name: h1, mock: worker}}
workload: [{id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 5/s, for: 60s}]
checks: {always: [no-lost-job]}
"""


def pids_of(folder: Path) -> list[int]:
    """The processes that the deployment's pid files and the governor's runtime file name."""
    files = [*folder.glob("*/target/under-test/pids/*.pid"), *folder.glob("*/target/under-test/governor.json")]
    return [json.loads(path.read_text())["pid"] for path in files]


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_nothing_of_a_run_survives_a_harness_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL gives it no chance to tear down; governor, server and handler end all the same, by their lifelines."""
    file = tmp_path / "killed.yaml"
    file.write_text(SCENARIO)
    command = [sys.executable, "-m", "harness", "run", str(file), "--report", str(tmp_path / "reports"), "-q"]
    harness = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30.0
        while len(pids := pids_of(tmp_path / "reports")) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        harness.send_signal(signal.SIGKILL)
        harness.wait(10.0)

    assert len(pids) == 3, "governor, server and h1 were up before the kill"
    deadline = time.monotonic() + 20.0
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_folders_of_killed_runs_are_cleared_away_and_those_of_living_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run sweeps what a killed one could not."""
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        living, left = AgentFolder(), Path(place) / "hx-left"
        left.mkdir()
        (left / "1.sock").touch()
        (Path(place) / "hx-a-file").touch()

        AgentFolder().close()

        assert sorted(path.name for path in Path(place).iterdir()) == sorted(["hx-a-file", living.path.name])
        living.close()
        assert not living.path.exists()


def test_a_simulated_run_leaves_the_folders_of_real_ones_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes are others, its locks are the machine's."""
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        living = AgentFolder()

        with World():
            AgentFolder().close()

        assert living.path.is_dir()
        living.close()
