"""Several runs at once, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from harness import session
from harness.checks.verdict import Outcome
from harness.cli import main
from harness.errors import ExitCode, HarnessError
from harness.parallel import play_in_processes
from harness.playing import How, run_all

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


@pytest.fixture
def ctrl_c_ignored() -> Iterator[None]:
    """As in a script's background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_is_passed_on_to_those_that_ignore_ctrl_c(
    file: Path, tmp_path: Path, ctrl_c_ignored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is under way is cut short and torn down, long before its load is through; what waited is not begun."""
    file.write_text(QUICK.replace("model: once, count: 3", "rate: 5/s, for: 60s").replace("run: 20s", "run: 90s"))
    reports = tmp_path / "reports"

    def stop() -> None:
        deadline = time.monotonic() + 60.0
        while not any(reports.glob("*/history.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    code = run_all(session.plan([file], seeds=[1, 2, 3, 4]), reports, How(workers=2, as_json=True))
    thread.join()

    documents = json.loads(capsys.readouterr().out)
    states = {one["seed"]: one["state"] for one in documents}
    assert code is ExitCode.INTERRUPTED
    assert "cut short" in {states[1], states[2]}
    assert "finished" not in states.values()
    assert (states[3], states[4]) == ("not begun", "not begun")


@pytest.mark.parametrize("world", ["real", "sim"])
def test_the_runs_of_a_killed_command_end_in_good_order(file: Path, tmp_path: Path, world: str) -> None:
    """Who is killed passes no signal on: each run sees that it is alone, tears its target down, and says so."""
    long = QUICK.replace("model: once, count: 3", "rate: 50/s, for: 1h").replace("run: 20s", "run: 2h")
    file.write_text(long.replace("worlds: [real]", "worlds: [real, sim]"), "utf-8")
    reports = tmp_path / "reports"
    words = ["run", str(file), "--world", world, "--seeds", "1..2", "-n", "2", "--report", str(reports)]
    command = subprocess.Popen([sys.executable, "-m", "harness", *words], stdout=subprocess.DEVNULL)
    try:
        _until(lambda: sum("jobs" in one.read_text() for one in reports.glob("*/history.jsonl")) == 2)
    finally:
        family = psutil.Process(command.pid).children(recursive=True)
        command.kill()
        command.wait()

    try:
        _until(lambda: not any(_lives(one) for one in family))
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()

    verdicts = [json.loads(one.read_text()) for one in reports.glob("*/verdict.json")]
    assert [verdict["outcome"] for verdict in verdicts] == ["interrupted", "interrupted"]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        time.sleep(0.1)


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
