"""What a stopped deployment must not have left, whatever kind of governor it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.targets.schedule_zero.audits import pid_files

pytestmark = pytest.mark.unit


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """The folder of a deployment whose governor, long dead, has left its file."""
    (tmp_path / "governor.json").write_text(json.dumps({"pid": 2**22 + 1, "start_time": 1.0, "control": "tcp://x"}))
    return tmp_path


def test_a_governor_that_was_told_to_stop_must_put_its_own_file_away(deployment: Path) -> None:
    """One that was killed cannot, and the next start takes the file for what it is."""
    left = {"path": str(deployment / "governor.json"), "pid": 2**22 + 1, "runs": False}

    assert pid_files(deployment, threads=True, killed=False) == (1, [left])
    assert pid_files(deployment, threads=True, killed=True) == (1, [])


def test_threads_have_no_pid_files_and_any_that_is_there_is_told(deployment: Path) -> None:
    """The folder itself is what is looked at; with processes a missing folder of pid files proves nothing."""
    assert pid_files(deployment, threads=True, killed=True) == (1, [])
    assert pid_files(deployment, threads=False, killed=True) == (0, [])
    (deployment / "pids").mkdir()
    (deployment / "pids" / "h1.pid").write_text("0")
    looked_at, found = pid_files(deployment, threads=True, killed=True)
    assert (looked_at, [Path(one["path"]).name for one in found]) == (3, ["h1.pid"])
