"""The table of promises in the documentation is complete and says nothing that no test shows."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.targets.schedule_zero import mutants

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (P[1-7])[^|]* \| ([\w/]+) \| ([\w-]+) \| [^|]+ \|$", re.MULTILINE)
ENOUGH = 0.95
"""Share of the scheduler's mutants that scenarios must catch."""

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def plays() -> ModuleType:
    """`test_mutants`, which plays what the table claims."""
    spec = importlib.util.spec_from_file_location("plays_of_mutants", Path(__file__).with_name("test_mutants.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _told() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "explanation" / "promises.md").read_text("utf-8")
    return [(match[1], match[2], match[3]) for match in ROW.finditer(text)]


def test_the_table_has_every_mutant_that_a_scenario_is_shown_to_catch(plays: ModuleType) -> None:
    """Row by row: scenario and mutant, as played by the tests of mutants and by the catalogue."""
    shown = {(broken.scenario, broken.mutant) for broken in plays.BROKEN}
    shown |= {(f"regression/{entry.path.stem}", entry.mutant) for entry in plays.CATALOGUE}
    ours = {(scenario, mutant) for scenario, mutant in shown if mutant in mutants.REGISTRY}

    told = [(scenario, mutant) for _, scenario, mutant in _told()]

    assert sorted(told) == sorted(set(told))
    assert set(told) == ours


def test_each_promise_has_scenarios_and_nearly_every_mutant_is_caught() -> None:
    """P1 to P7, and at least 95 of 100 mutants of the scheduler."""
    rows = _told()

    assert {promise for promise, _, _ in rows} == {"P1", "P2", "P3", "P4", "P5", "P6", "P7"}
    caught = {mutant for _, _, mutant in rows}
    assert len(caught & set(mutants.REGISTRY)) / len(mutants.REGISTRY) >= ENOUGH


def test_a_mutant_without_a_row_passes_for_nothing(said_as_told: Callable[[str, str, Verdict], None]) -> None:
    """What the table quotes must have been said, and a row that was forgotten quotes nothing; of scenarios that it does
    not have it claims nothing."""
    failed = CheckResult(name="a", when="always", outcome=Outcome.FAIL, samples=1, summary="its jobs.errors grew")
    verdict = Verdict(
        scenario="s", seed=1, world="sim", outcome=Outcome.FAIL, reason="",
        checks=(msgspec.structs.replace(failed, evidence=(Evidence(at=0.0, text="stale pid file x, runs False"),)),),
    )  # fmt: skip

    said_as_told("regression/pid_file_cleanup", "pid-file-kept", verdict)
    said_as_told("apscheduler/day_of_schedules", "fires-twice", verdict)
    with pytest.raises(AssertionError, match="told: "):
        said_as_told("regression/efsm_socket_error", "efsm-not-recovered", verdict)
    with pytest.raises(KeyError):
        said_as_told("regression/pid_file_cleanup", "nobody-told", verdict)
