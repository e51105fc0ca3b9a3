"""Tests of the folder of a run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import UsageError
from harness.report.folder import RunFolder
from harness.report.write import write_verdict

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def test_the_name_tells_time_name_world_and_seed(tmp_path: Path, started: datetime) -> None:
    """Folders sort by time and say which run they hold."""
    folder = RunFolder.create(tmp_path / "reports", "load.steady", "real", 4711, started=started)

    assert folder.path == tmp_path / "reports" / "20260314-092653-load.steady-real-4711"
    assert folder.logs.is_dir()


def test_two_runs_of_one_second_do_not_share_a_folder(tmp_path: Path, started: datetime) -> None:
    """A counter keeps names apart."""
    made = [RunFolder.create(tmp_path, "x", "real", 1, started=started).path.name for _ in range(3)]

    assert made == ["20260314-092653-x-real-1", "20260314-092653-x-real-1-2", "20260314-092653-x-real-1-3"]


def test_a_name_cannot_leave_the_reports(tmp_path: Path, started: datetime) -> None:
    """Slashes in a name do not make paths."""
    folder = RunFolder.create(tmp_path, "../../etc/x y", "real", 1, started=started)

    assert folder.path.parent == tmp_path
    assert folder.path.name == "20260314-092653-.._.._etc_x_y-real-1"


def test_a_file_in_the_way_is_a_users_mistake(tmp_path: Path) -> None:
    """Reports below a file are refused with the path."""
    (tmp_path / "reports").write_text("")

    with pytest.raises(UsageError, match=r"cannot write reports below .*reports"):
        RunFolder.create(tmp_path / "reports", "x", "real", 1)


def test_a_run_is_read_back(tmp_path: Path, chaos_run: Run, started: datetime) -> None:
    """Manifest, history and verdict come back equal; a run that was never judged has no verdict."""
    folder = RunFolder.create(tmp_path, "x", "real", 1, started=started)
    chaos_run.manifest.write(folder.manifest)
    chaos_run.history.write(folder.history)

    assert folder.read().verdict is None
    write_verdict(folder.verdict, chaos_run.verdict)
    stored = folder.read()
    assert (stored.manifest, stored.verdict) == (chaos_run.manifest, chaos_run.verdict)
    assert stored.history.records == chaos_run.history.records


def test_a_folder_that_holds_no_run_is_told(tmp_path: Path) -> None:
    """The message names the folder and what it lacks."""
    with pytest.raises(UsageError, match=r"it has no manifest\.json and no history\.jsonl"):
        RunFolder(tmp_path).read()
    with pytest.raises(UsageError, match="is no folder: expected the folder of a run"):
        RunFolder(tmp_path / "gone").read()


def test_a_broken_verdict_is_told(tmp_path: Path, empty_run: Run) -> None:
    """A verdict that is none names its file."""
    folder = RunFolder(tmp_path)
    empty_run.manifest.write(folder.manifest)
    empty_run.history.write(folder.history)
    folder.verdict.write_text("{}")

    with pytest.raises(UsageError, match=r"verdict\.json is no verdict of a run"):
        folder.read()


def test_log_tails_are_bounded(tmp_path: Path) -> None:
    """Of a long log only the end is read, whole lines only; what is no text does not matter."""
    folder = RunFolder(tmp_path)
    (folder.logs / "sub").mkdir(parents=True)
    (folder.logs / "long.log").write_text("".join(f"line {n}\n" for n in range(100_000)))
    (folder.logs / "short.log").write_bytes(b"one\n\xfftwo\n")
    (folder.logs / "empty.log").touch()
    (folder.logs / "sub" / "h1.log").write_text("x" * 50_000)

    tails = folder.log_tails(lines=3, limit=1000)

    assert list(tails) == ["long.log", "short.log", "sub/h1.log"]
    assert tails["long.log"] == "[…]\nline 99997\nline 99998\nline 99999"
    assert tails["short.log"] == "one\n\ufffdtwo"
    assert len(tails["sub/h1.log"]) <= 1005


def test_no_logs_are_no_tails(tmp_path: Path) -> None:
    """A folder without logs has none."""
    assert RunFolder(tmp_path).log_tails() == {}
