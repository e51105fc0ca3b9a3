"""Tests of everything that a finished run leaves."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.checks.verdict import Outcome
from harness.errors import HarnessError
from harness.report.folder import RunFolder
from harness.report.jsonout import as_json, dumps
from harness.report.write import write_reports
from harness.scenario.loader import load_text
from harness.scenario.model import Scenario

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


@pytest.fixture
def folder(tmp_path: Path, started: datetime) -> RunFolder:
    """A fresh folder of a run."""
    return RunFolder.create(tmp_path, "x", "real", 1, started=started)


@pytest.fixture
def scenario(build: object) -> Scenario:
    """The scenario of the chaos run."""
    return load_text(build.SOURCE)[0].scenario  # type: ignore[attr-defined]


def test_all_formats_are_written(folder: RunFolder, scenario: Scenario, chaos_run: Run) -> None:
    """A run leaves all it promises, and the folder is enough to read it back."""
    write_reports(folder, scenario, chaos_run.history, chaos_run.verdict, chaos_run.manifest)

    assert sorted(p.name for p in folder.path.iterdir()) == [
        "history.jsonl",
        "junit.xml",
        "logs",
        "manifest.json",
        "report.html",
        "scenario.yaml",
        "verdict.json",
    ]
    assert folder.read().verdict == chaos_run.verdict
    assert load_text(folder.scenario.read_text())[0].scenario == scenario


def test_formats_that_were_not_asked_for_are_not_written(
    folder: RunFolder, scenario: Scenario, chaos_run: Run
) -> None:
    """Without html and junit, history and verdict are there all the same."""
    bare = scenario.model_copy(update={"report": scenario.report.model_copy(update={"formats": ("jsonl",)})})

    write_reports(folder, bare, chaos_run.history, chaos_run.verdict, chaos_run.manifest)

    assert not folder.html.exists()
    assert not folder.junit.exists()
    assert folder.read().history.records == chaos_run.history.records


def test_a_history_that_is_there_is_left_alone(folder: RunFolder, scenario: Scenario, chaos_run: Run) -> None:
    """The recorder's own file is the truth and is not written again."""
    folder.history.write_bytes(b"as recorded\n")

    write_reports(folder, scenario, chaos_run.history, chaos_run.verdict, chaos_run.manifest)

    assert folder.history.read_bytes() == b"as recorded\n"


def test_logs_reach_the_page(folder: RunFolder, scenario: Scenario, chaos_run: Run) -> None:
    """The end of each log of a failed run is in the report."""
    (folder.logs / "h4.log").write_text("the last words of h4\n")

    write_reports(folder, scenario, chaos_run.history, chaos_run.verdict, chaos_run.manifest)

    assert "the last words of h4" in folder.html.read_text(encoding="utf-8")


def test_what_cannot_be_written_is_named(folder: RunFolder, scenario: Scenario, chaos_run: Run) -> None:
    """A folder in the place of a file ends in an error that names it."""
    folder.html.mkdir()

    with pytest.raises(HarnessError, match=r"cannot write .*report\.html: Is a directory"):
        write_reports(folder, scenario, chaos_run.history, chaos_run.verdict, chaos_run.manifest)
    assert json.loads(folder.verdict.read_bytes())["outcome"] == "fail"


def test_json_for_machines(chaos_run: Run, folder: RunFolder) -> None:
    """The verdict as JSON says the exit code, where the report is, how to run it again, and which time is which."""
    found = json.loads(dumps(as_json(chaos_run.verdict, chaos_run.manifest, folder=folder.path)))

    assert (found["outcome"], found["exit_code"]) == (Outcome.FAIL.value, 1)
    assert (found["report"], found["again"]) == (str(folder.path), chaos_run.manifest.again)
    assert (found["scenario_seconds"], found["wall_seconds"]) == (120.0, 138.511)
    assert [c["outcome"] for c in found["checks"]] == [
        "pass",
        "fail",
        "unknown",
        "fail",
        "pass",
        "pass",
        "pass",
    ]
    assert found["checks"][1]["evidence"][0]["data"]["handler"] == "h4"
