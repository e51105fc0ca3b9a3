"""run_tests.py asks pytest for what its suites say, and says so when it cannot."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = ROOT / "run_tests.py"
SPARED = "-p no:anyio -p no:faker -p no:platformdirs -p no:time_machine"
"""Plugins that are not used here: to load them takes as long as to load pytest."""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("run_tests_under_test", ROOT / "run_tests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def command(runner: ModuleType, *arguments: str) -> list[str]:
    """What pytest would be called with."""
    own, rest = runner._split(arguments)
    words: list[str] = runner.pytest_command(runner._parser().parse_args(own), rest)
    assert words[:3] == [sys.executable, "-m", "pytest"]
    return words[3:]


def run(*arguments: str, script: Path = _SCRIPT, spared: str = SPARED) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTEST_ADDOPTS": spared},
        capture_output=True,
        text=True,
        timeout=100.0,
        cwd=ROOT.parent,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-n", "1"], ["tests", "-m", "(unit and not slow and not sim)", "--hypothesis-profile=quick"]),
        (["all", "-n", "1"], ["tests", "-m", "(not thorough)"]),
        (["regression", "-n", "1"], ["tests", "scenarios/regression", "-m", "(regression)"]),
        (["chaos", "-n", "1"], ["tests", "scenarios/chaos", "-m", "(chaos)"]),
        (
            ["zmq", "-n", "0", "-m", "not slow", "-k", "x or y"],
            ["tests", "-m", "(zmq) and (not slow)", "-k", "x or y"],
        ),
        (
            ["all", "-n", "3"],
            ["tests", "-m", "(not thorough)", "-n", "3", "--dist", "worksteal"],
        ),
        (["load"], ["tests", "scenarios/load", "-m", "(load)"]),
        (
            ["unit", "-n", "1", "-q", "--coverage"],
            ["tests", "-m", "(unit)", "--cov", "--cov-report=term", "--cov-report=html", "-q"],
        ),
        (
            ["all", "-n", "1", "--", "--pdb", "-x", "--", "y"],
            ["tests", "-m", "(not thorough)", "--pdb", "-x", "--", "y"],
        ),
    ],
)
def test_options_become_those_of_pytest(runner: ModuleType, arguments: list[str], expected: list[str]) -> None:
    """Suite, -m, -k, -n, -q, --coverage and what follows `--` reach pytest; load alone is never run side by
    side.
    """
    assert command(runner, *arguments) == expected


def test_workers_are_two_more_than_processors_and_no_more_than_make_sense(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """auto is two workers more than processors, at most eight."""
    for processors, workers in ((1, 3), (2, 4), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=processors: set(range(n)))
        assert runner._workers("auto", runner.SUITES["all"]) == workers


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chaso"], "'chaso' is neither a suite nor a path. Did you mean 'chaos'?"),
        (["tests/no_such_file.py"], "'tests/no_such_file.py' is neither a suite nor a path."),
        (["quick", "-n", "many"], "-n: expected a number of workers or auto, found 'many'."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: list[str], told: str) -> None:
    """Exit code 2, the sentence, and no traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "code"), [("right", 0), ("wrong", 1), ("other", 5)])
@pytest.mark.integration
def test_the_exit_code_is_pytests(name: str, code: int, tmp_path: Path) -> None:
    """A path is a suite; pytest's own code comes back, also 5 when -k leaves nothing."""
    path = tmp_path / "test_it.py"
    path.write_text("def test_right():\n    assert True\ndef test_wrong():\n    assert False\n")
    options = ("-n", "1", "--", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    assert run(str(path), "-q", "-k", name, *options).returncode == code


HELD = {
    "quick": 1, "all": 10, "unit": 3, "integration": 1, "sim": 1, "zmq": 1, "governor": 1, "regression": 1, "load": 1,
    "cycles": 1, "chaos": 1,
}  # fmt: skip
"""How many tests each suite holds where there is one test of each marker, and a thorough one."""


@pytest.mark.integration
def test_the_list_counts_the_tests_of_each_suite(runner: ModuleType, tmp_path: Path) -> None:
    """In a project with one test a marker: what a suite holds by its marker, and leaves out by others."""
    shutil.copy(ROOT / "run_tests.py", tmp_path)
    (tmp_path / "tests").mkdir()
    marked = [name for name in runner.SUITES if name not in ("quick", "all", "unit", "sim")]
    tests = [["unit"], ["unit", "slow"], ["unit", "sim"], ["thorough"], *([name] for name in marked)]
    lines = ["import pytest"]
    for number, names in enumerate(tests):
        lines += [*(f"@pytest.mark.{name}" for name in names), f"def test_{number}(): pass"]
    (tmp_path / "tests" / "test_it.py").write_text("\n".join(lines), "utf-8")

    done = run("--list", script=tmp_path / "run_tests.py")

    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+) tests  (.+)$", done.stdout, re.MULTILINE)
    assert {name: int(count) for name, count, _ in rows} == HELD
    assert [about for *_, about in rows] == [suite.about for suite in runner.SUITES.values()]


@pytest.mark.thorough
@pytest.mark.integration
def test_the_list_counts_what_each_suite_holds(runner: ModuleType) -> None:
    """Every suite is listed with its number of tests; none is empty, all holds the most, unit and quick are
    within it.
    """
    done = run("--list", spared="")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+) tests  (.+)$", done.stdout, re.MULTILINE)
    counts = {name: int(count) for name, count, _ in rows}
    assert list(counts) == list(runner.SUITES)
    assert [about for *_, about in rows] == [suite.about for suite in runner.SUITES.values()]
    assert all(counts.values())
    assert counts["quick"] <= counts["unit"] < counts["all"]
    assert counts["unit"] + counts["integration"] <= counts["all"]


def test_the_first_of_the_regressions_is_found_by_the_name_of_its_error() -> None:
    """``run_tests.py zmq -k efsm`` is what one types who has met EFSM: the tests are called after what they show."""
    file = "tests/test_zmq_socket_recovery.py"
    found = run(file, "-m", "zmq", "-k", "efsm", "-n", "1", "--", "--collect-only", "-q")

    assert f"{file}::test_socket_state_machine_error" in found.stdout
    assert found.returncode == 0, found.stderr
