"""Faults that cannot strike: refused by `validate`, a warning of `explain`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import main

pytestmark = pytest.mark.unit

FILE = """\
scenario: 1
name: chaos.late
kind: chaos
target: {driver: schedule_zero}
topology: {handlers: {name: h1}}
workload: [{id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 5/s, for: 1s}]
faults:
  - {id: crash, kind: process.kill, where: h1, at: AT}
checks: {always: [no-lost-job]}
"""


def _harness(tmp_path: Path, command: str, at: str) -> Result:
    path = tmp_path / "late.yaml"
    path.write_text(FILE.replace("at: AT", at), "utf-8")
    return CliRunner().invoke(main, [command, str(path)])


def test_validate_refuses_a_fault_that_can_never_strike(tmp_path: Path) -> None:
    """With the line it stands on; the run is not refused, and comes out unknown."""
    result = _harness(tmp_path, "validate", "at: 50s")

    assert result.exit_code == 2
    assert "late.yaml:8:5: faults.0: the fault crash can never strike" in result.output
    assert "it begins at 50 s at the earliest, and the run ends at 1 s" in result.output


def test_validate_warns_of_a_fault_that_some_seeds_leave_out(tmp_path: Path) -> None:
    """The file is valid all the same."""
    result = _harness(tmp_path, "validate", "every: 500ms..2s")

    assert result.exit_code == 0
    assert "late.yaml:8: the fault crash may not strike: `every: 500ms..2s` in a run of 1 s" in result.output


def test_validate_says_nothing_where_all_is_well(tmp_path: Path) -> None:
    """Only that the file is valid."""
    result = _harness(tmp_path, "validate", "at: 500ms")

    assert result.output == f"{tmp_path / 'late.yaml'}: chaos.late is a valid scenario\n"


def test_explain_shows_the_timeline_with_a_warning(tmp_path: Path) -> None:
    """Whoever looks at the timeline wants to know why the fault is not in it."""
    result = _harness(tmp_path, "explain", "at: 50s")

    assert result.exit_code == 0
    assert "warning: " in result.output
    assert "late.yaml:8: the fault crash can never strike" in result.output
