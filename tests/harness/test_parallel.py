"""Several runs at once, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import session
from harness.checks.verdict import Outcome
from harness.cli import main
from harness.errors import HarnessError
from harness.parallel import play_in_processes

pytestmark = pytest.mark.integration

QUICK = """\
scenario: 1
name: quick
kind: load
worlds: [real]
limits: {setup: 30s, run: 20s, settle: 5s, teardown: 20s}
target: {driver: schedule_zero}
topology: {handlers: {name: h1}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: echo}, model: once, count: 3}
checks: {always: [no-lost-job], finally: [no-orphan-process]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario of a moment."""
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK, "utf-8")
    return path


def test_each_run_is_played_and_read_back(file: Path, tmp_path: Path) -> None:
    """Two seeds, two folders, two verdicts, each with the line that runs it again."""
    planned = session.plan([file], seeds=[1, 2])

    played = sorted(play_in_processes(planned, tmp_path / "reports", 2), key=lambda run: run.verdict.seed)

    assert [(run.verdict.seed, run.verdict.outcome) for run in played] == [(1, Outcome.PASS), (2, Outcome.PASS)]
    assert [run.manifest.again for run in played] == [run.again for run in planned]
    assert len({run.folder.path for run in played}) == 2


def test_a_process_that_ends_without_a_verdict_is_an_error_that_tells_its_last_words(
    file: Path, tmp_path: Path
) -> None:
    """The file is gone by the time the run is to begin."""
    planned = session.plan([file], seeds=[1])
    file.unlink()

    with pytest.raises(
        HarnessError, match=r"the run of quick ended with code 2 and no verdict: .*no such file or folder"
    ):
        list(play_in_processes(planned, tmp_path / "reports", 2))


BOTH = """\
scenario: 1
name: both
kind: regression
worlds: [sim, real]
limits: {setup: 30s, run: 30s, settle: 5s, teardown: 20s}
target: {driver: apscheduler}
topology: {scheduler: {store: memory}}
given: [{op: job.submit, with: {call: work}, count: 3}]
checks: {always: [no-lost-job]}
"""


def test_both_worlds_are_played_at_once_and_compared(tmp_path: Path) -> None:
    """Each run in a process of its own, the simulated ones twice; the table is in the order of the plan."""
    file = tmp_path / "both.yaml"
    file.write_text(BOTH, "utf-8")
    words = ["run", str(file), "--world", "both", "--seeds", "1..2", "-n", "2", "--check-determinism", "--json"]

    found = CliRunner().invoke(main, [*words, "--report", str(tmp_path / "reports")])

    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert [(row["seed"], row["agree"]) for row in document["agreement"]] == [(1, True), (2, True)]
    repeated = {(run["world"], run["seed"]): run.get("repeated", {}).get("same") for run in document["runs"]}
    assert repeated == {("sim", 1): True, ("sim", 2): True, ("real", 1): None, ("real", 2): None}
