"""What the command line prints of runs: stored ones, cut ones, planned ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness import terminal
from harness.checks.judge import judge
from harness.checks.verdict import Outcome, Verdict
from harness.errors import ExitCode, UsageError
from harness.history.history import History
from harness.history.records import (
    AnyRecord,
    Audit,
    Edge,
    Execution,
    Header,
    Job,
    Operation,
    Phase,
    PhaseName,
    Status,
)
from harness.report import manifest as manifests
from harness.report.folder import RunFolder
from harness.report.write import write_beginning, write_verdict
from harness.scenario.loader import load_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.scenario.model import Scenario

pytestmark = pytest.mark.unit

CYCLES = """\
scenario: 1
name: rounds
kind: cycles
target: {driver: schedule_zero}
limits: {run: 60s}
topology: {handlers: {name: h1}}
checks: {finally: [no-orphan-process]}
cycles: {count: 3, steps: [start, stop: {how: [term]}]}
"""


@pytest.fixture
def begun(tmp_path: Path, short: Callable[..., Scenario]) -> Callable[..., RunFolder]:
    """Makes the folder of a run that has begun and left these records, or none at all."""

    def make(*records: AnyRecord) -> RunFolder:
        folder = RunFolder.create(tmp_path, "short", "real", 1)
        scenario = short()
        write_beginning(folder, scenario, manifests.build(scenario=scenario.name, world="real", seed=1))
        if records:
            History(Header(scenario="short", seed=1, world="real"), records).write(folder.history)
        return folder

    return make


def _call(at: float) -> Operation:
    return Operation(
        at=at, id=1, workload="jobs", op="job.submit", place="h1", intended=at, start=at, end=at, status=Status.OK
    )


def _phase(at: float, name: PhaseName, edge: Edge = Edge.BEGIN) -> Phase:
    return Phase(at=at, name=name, edge=edge)


def test_a_folder_of_no_run_cannot_be_judged_again(tmp_path: Path) -> None:
    """The message says what the folder lacks."""
    folder = RunFolder.create(tmp_path, "x", "real", 1)

    with pytest.raises(UsageError, match=r"it has no manifest\.json and no history\.jsonl"):
        terminal.report_again(folder.path, as_json=False)


def test_a_run_that_was_killed_is_told_as_cut_short(
    begun: Callable[..., RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown, exit 3: how far it came and what was seen; no check accuses the target. The same when told again."""
    folder = begun(_phase(-1.0, PhaseName.SETUP), _phase(0.0, PhaseName.RUN), _call(0.5), _call(2.5))

    codes = [terminal.report_again(folder.path, as_json=True) for _ in range(2)]

    assert codes == [ExitCode.UNKNOWN, ExitCode.UNKNOWN]
    first, second = capsys.readouterr().out.split("\n}\n", 1)
    told: dict[str, Any] = json.loads(first + "\n}")
    assert told["reason"] == (
        "the run was cut short in its run phase, at 2.5 s, so nothing was judged; "
        "its history holds 4 records, calls: 2 ok"
    )
    assert (told["outcome"], told["checks"], told["wall_seconds"]) == ("unknown", [], None)
    assert json.loads(second) == told
    assert "cut short in its run phase" in folder.html.read_text("utf-8")


def test_a_run_that_was_killed_before_its_run_phase_is_told_too(
    begun: Callable[..., RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    """The history is written from the run phase on: without one there is a manifest and a scenario to tell."""
    assert terminal.report_again(begun().path, as_json=False) is ExitCode.UNKNOWN
    assert "the run was cut short before its run phase began" in capsys.readouterr().out


def test_a_run_that_was_torn_down_is_judged_though_its_verdict_is_lost(
    begun: Callable[..., RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    """What ended after the teardown has seen all there was to see: the lost job is found."""
    folder = begun(_phase(0.0, PhaseName.RUN), _call(0.5), *(_phase(3.0, PhaseName.TEARDOWN, edge) for edge in Edge))

    terminal.report_again(folder.path, as_json=False)

    assert "no-lost-job" in capsys.readouterr().out


def test_a_run_that_was_cut_at_its_limit_does_not_pass_when_it_is_told_again(
    begun: Callable[..., RunFolder], short: Callable[..., Scenario], capsys: pytest.CaptureFixture[str]
) -> None:
    """All its checks passed, and yet not all was played that the file asks for: no check can tell that again."""
    done = Job(at=1.0, job_id="a", handler="h1", method="work", started=0.5, ended=0.7, outcome="success")
    ran = Execution(at=0.7, handler="h1", request_id="a", method="work", start=0.5, end=0.7, outcome="ok")
    searched = Audit(at=3.0, name="processes", scope="final", looked_at=3)
    call = msgspec.structs.replace(_call(0.4), ref="a")
    end = [_phase(3.0, PhaseName.TEARDOWN, edge) for edge in Edge]
    folder = begun(_phase(0.0, PhaseName.RUN), call, done, ran, searched, *end)
    checks = judge(short(), History.read(folder.history))
    reason = "the run was cut at its limit of 5 s"
    cut = Verdict(scenario="short", seed=1, world="real", outcome=Outcome.UNKNOWN, reason=reason, checks=checks)
    write_verdict(folder.verdict, cut)

    codes = [terminal.report_again(folder.path, as_json=True) for _ in range(2)]

    assert [check.outcome for check in checks] == [Outcome.PASS, Outcome.PASS]
    assert codes == [ExitCode.UNKNOWN, ExitCode.UNKNOWN]
    assert json.loads(capsys.readouterr().out.split("\n}\n", 1)[0] + "}")["reason"] == reason


def test_explain_draws_the_load_and_not_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    """A load of two seconds fills the axis, whatever the run may take at most; cycles have no planned length."""
    load = CYCLES.replace("kind: cycles", "kind: load").partition("cycles:")[0]
    load += "workload: [{id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 5/s, for: 2s}]\n"

    terminal.explain_one(load_text(load)[0], 1, as_json=False)
    jobs = next(line for line in capsys.readouterr().out.splitlines() if " jobs " in line)
    terminal.explain_one(load_text(CYCLES)[0], 1, as_json=False)

    assert jobs.count("━") == 30
    assert "cycles" in capsys.readouterr().out
