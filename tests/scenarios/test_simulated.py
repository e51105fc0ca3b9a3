"""Scenarios in the simulated world: each passes there as it does for real, and one seed has one history."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import session, vocabulary
from harness.checks.verdict import Outcome
from harness.history.records import Fault, FaultEvent
from harness.scenario.model import World

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("histories.py")
SEED = 5
PYTHONS = "HARNESS_PYTHONS"
"""Interpreters in which this repository's dependencies are installed, separated as in PATH."""

pytestmark = [pytest.mark.integration, pytest.mark.sim]


_WORLDS = re.compile(r"^worlds: *\[[^\]]*\bsim\b", re.MULTILINE)


def _simulated() -> list[Path]:
    """The scenario files that name the simulated world. Not loaded for that: every worker asks, and one plays them."""
    return [path for path in session.find_files([ROOT / "scenarios"]) if _WORLDS.search(path.read_text("utf-8"))]


@functools.cache
def histories() -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("simulated_histories", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def first(name: str) -> dict[str, Any]:
    """The history of one seed, made once in this process."""
    found: dict[str, Any] = histories().history(name, SEED)
    return found


def printed(python: str, **variables: str) -> dict[str, dict[str, Any]]:
    """The histories that an interpreter of its own makes, somewhere else."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [python, str(PROGRAM), str(SEED)], env=environment, cwd="/", capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, f"{python}:\n{done.stderr}"
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def others() -> dict[str, str]:
    """Other Pythons that can run the harness, by version: those that HARNESS_PYTHONS names, those on PATH."""
    named = os.environ.get(PYTHONS, "").split(os.pathsep)
    on_path = (shutil.which(f"python3.{minor}") for minor in (11, 12, 13))
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    ask = "import sys, harness.session, harness.sim.world, schedule_zero.server; print('%d.%d' % sys.version_info[:2])"
    for python in filter(None, (*named, *on_path)):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([python, "-c", ask], env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), python)
    return {version: python for version, python in found.items() if python != sys.executable}


def test_all_scenarios_that_name_the_simulated_world_are_played_in_it() -> None:
    """Those found by their text are those that say so when they are loaded."""
    loaded = session.load_all(session.find_files([ROOT / "scenarios"]), vocabulary.build())

    assert _simulated() == [one.source.path for one in loaded if World.SIM in one.scenario.worlds]


@pytest.mark.thorough
@pytest.mark.parametrize("path", _simulated(), ids=lambda path: path.relative_to(ROOT / "scenarios").as_posix())
def test_a_scenario_passes_in_the_simulated_world(path: Path, tmp_path: Path) -> None:
    """With its own seed, whole: each check holds on at least one sample, each fault has struck and is healed."""
    (planned,) = session.plan([path], world=World.SIM)

    finished = session.Session(tmp_path).play(planned)

    assert finished.verdict.outcome is Outcome.PASS, finished.verdict.reason
    assert [c.name for c in finished.verdict.checks if c.outcome is not Outcome.PASS or not c.samples] == []
    lives = list(finished.result.history.of(Fault))
    for fault in planned.loaded.scenario.faults:
        told = {record.event for record in lives if record.id.partition("#")[0] == fault.id}
        assert FaultEvent.INJECTED in told, f"{fault.id}: {sorted(told)}"
    assert [record.id for record in lives if record.event is FaultEvent.FAILED] == []


@pytest.mark.parametrize("name", ["load/steady", "chaos/handlers_under_fire", "cycles/governor"])
def test_one_seed_has_one_history(name: str) -> None:
    """Twice in one interpreter: the same bytes, the same trace, the same choices. Another seed has another history."""
    once, again, other = first(name), histories().history(name, SEED), histories().history(name, SEED + 1)

    assert once == again
    assert once["verdict"] == "pass"
    assert once["trace"] != other["trace"]
    assert once["history"] != other["history"]


@pytest.mark.slow
def test_the_history_is_the_same_in_every_process() -> None:
    """Interpreters of their own, under two values of PYTHONHASHSEED, in another folder, give those of this one."""
    here = {name: first(name) for name in histories().RUNS}

    assert printed(sys.executable, PYTHONHASHSEED="4711") == here
    assert printed(sys.executable, PYTHONHASHSEED="0") == here


@pytest.mark.slow
def test_the_history_is_the_same_on_every_python() -> None:
    """Each other Python that can run the harness, and is named in HARNESS_PYTHONS or found on PATH, gives it too."""
    pythons = others()
    if not pythons:
        pytest.skip(f"no other Python here can run the harness; name some in {PYTHONS}")
    here = {name: first(name) for name in histories().RUNS}

    for version, python in sorted(pythons.items()):
        assert printed(python) == here, version
