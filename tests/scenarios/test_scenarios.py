"""The scenario files of this repository as files: complete, short enough for every day, and of one mould."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from harness import session, vocabulary
from harness.runner import planned_length
from harness.scenario.loader import LoadedScenario
from harness.scenario.model import Kind, World

ROOT = Path(__file__).parents[2] / "scenarios"
FILES = session.find_files([ROOT])

pytestmark = pytest.mark.unit


@functools.cache
def _load(path: Path) -> LoadedScenario:
    (loaded,) = session.load_all([path], vocabulary.build())
    return loaded


def test_the_scenarios_that_are_promised_are_there() -> None:
    """Load, cycles and chaos by name, and one regression an entry of the catalogue."""
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in FILES}

    assert names >= {
        "load/steady",
        "load/surge",
        "cycles/governor",
        "cycles/handlers",
        "chaos/handler_kill",
        "chaos/handlers_under_fire",
        "apscheduler/day_of_schedules",
        "apscheduler/pause_and_resume",
        "apscheduler/restart_with_misfires",
        "apscheduler/kill_and_recover",
    }
    assert len([name for name in names if name.startswith("regression/")]) == 9


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_scenario_file_is_complete(path: Path) -> None:
    """It says what it is about, has a seed, runs in the real world, lies in the folder of its kind or of its driver,
    and demands something. Those of promises are of any kind, and simulated every day.
    """
    scenario = _load(path).scenario

    assert scenario.about
    assert scenario.seed is not None
    folder = path.relative_to(ROOT).parts[0]
    assert (World.SIM if folder == "promises" else World.REAL) in scenario.worlds
    assert scenario.name == path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").replace("_", "-")
    other_target = folder in (scenario.target.driver, "promises")
    assert other_target or scenario.kind.value == folder or (folder == "regression" and scenario.kind is Kind.CYCLES)
    checks = scenario.checks
    assert "no-orphan-process" in (*checks.finally_, *checks.each), "every scenario must look for what it left"
    assert checks.always or checks.finally_


def test_all_scenarios_together_are_short_enough_for_every_day() -> None:
    """Their loads last 115 s at most, which leaves room for set-up and teardown within three minutes."""
    loads = [scenario for path in FILES if World.REAL in (scenario := _load(path).scenario).worlds]

    assert sum(planned_length(scenario) for scenario in loads if scenario.cycles is None) <= 115.0


def test_every_fault_of_a_chaos_scenario_begins_within_its_load() -> None:
    """A fault that comes after the end is never injected."""
    for path in (p for p in FILES if p.parts[-2] == "chaos"):
        scenario = _load(path).scenario
        late = [fault.id for fault in scenario.faults if (fault.at or 0.0) >= planned_length(scenario)]
        assert late == [], path
