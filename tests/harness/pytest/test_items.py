"""Scenario files as test items: which are taken, how they are chosen, what a failure tells."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.checks.evidence import Problem, conclude
from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.pytest.items import is_asked_for, is_scenario, longest
from harness.pytest.telling import describe
from harness.scenario.loader import load_text

pytestmark = pytest.mark.integration
Run = Callable[..., pytest.RunResult]
Text = Callable[[str], str]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("scenario: 1\nname: x\n", True),
        ("# a comment\n\n---\n# more\nscenario: 2\n", True),
        ("\ufeffscenario: 1\n", True),
        ("name: x\nscenario: 1\n", True),
        ("name: x\r\nscenario: 1\r\n", True),
        ('about: >\n  long\n"scenario" : 1\n', True),
        ("{scenario: 1, name: x}\n", True),
        ("# " + 5000 * "long " + "\nscenario: 1\n", True),
        ("# scenario: 1\n", False),
        ("scenario:\n  name: default\n", False),
        ("scenarios: [a]\n", False),
        ("jobs:\n  scenario: 1\n", False),
        ("", False),
    ],
)
def test_what_is_a_scenario(text: str, taken: bool, tmp_path: Path) -> None:
    """A file is ours when it has a key `scenario` with a number, wherever it stands; one of anyone else's has not."""
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    assert is_scenario(tmp_path / "a.yaml") is taken
    assert not is_scenario(tmp_path / "missing.yaml")


def test_long_variants_are_taken_when_named() -> None:
    """A folder `long` is passed over unless it, or a file in it, is what pytest was called with."""
    path = Path("/p/scenarios/long/day.yaml")
    assert not is_asked_for(path, [Path("/p")])
    assert is_asked_for(path, [Path("/p"), path])
    assert is_asked_for(path, [Path("/p/scenarios/long")])


def test_an_item_has_the_time_its_limits_add_up_to(short_scenario: Text) -> None:
    """30 s of set-up, twice, 20 s of run, 10 s to settle, 4 steps of teardown of 10 s each, and a minute."""
    assert longest(load_text(short_scenario("x"))[0].scenario) == 2 * 30 + 20 + 10 + 4 * 10 + 60


def test_collection(here: Run, short_scenario: Text) -> None:
    """One item a scenario, seed and world; foreign files are passed over; a wrong file is an error with its
    place.
    """
    two = f"{short_scenario('one')}---\n{short_scenario('two').replace('seed: 5', 'seeds: {count: 2}')}"
    files = {"a.yaml": two, "other.yaml": "services: {}\n", "long/day.yaml": short_scenario("day")}
    result = here(files, "--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == [
        "a.yaml::one[real-5]",
        "a.yaml::two[real-1]",
        "a.yaml::two[real-2]",
    ]
    result = here({"bad.yaml": short_scenario("bad").replace("run: 20s", "run: 20")}, "--collect-only", "-q")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*bad.yaml:6:*limits.run*"])


def test_options_choose(here: Run, short_scenario: Text) -> None:
    """--harness-seed, -k and -m choose; nothing is left in a world no file names, nor with -p no:harness."""
    files = {"a.yaml": f"{short_scenario('one')}---\n{short_scenario('two')}"}
    ask = ("--collect-only", "-q")
    result = here(files, *ask, "--harness-seed", "77", "-k", "two", "-m", "regression and real")
    assert [line for line in result.outlines if "::" in line] == ["a.yaml::two[real-77]"]
    assert here(files, *ask, "--harness-world", "sim").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert here(files, *ask, "-p", "no:harness").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_world_that_cannot_be_played_is_told(here: Run, short_scenario: Text) -> None:
    """A world that there is not is a mistake in the file, told with its place and no traceback."""
    result = here({"a.yaml": short_scenario("one").replace("[real]", "[real, moon]")})
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a.yaml:4:*worlds.1*", "*expected: one of real, sim*moon*"])
    assert "Traceback" not in result.stdout.str()


TICKS = """\
scenario: 1
name: {name}
kind: regression
worlds: [real]
seed: 5
target: {{driver: apscheduler}}
topology: {{scheduler: {{store: memory}}}}
given: [{{op: schedule.add, with: {{id: tick, every: 250ms}}}}]
when: [{{advance: 600ms}}]
then: [fires-as-modelled]
"""


def test_two_at_once_and_junit(project: Run, tmp_path: Path) -> None:
    """Under -n 2 both pass in processes of their own; JUnit holds seed, world, report."""
    files = {"a.yaml": TICKS.format(name="one"), "b.yaml": TICKS.format(name="two")}
    xml = tmp_path / "junit.xml"
    result = project(files, "-n", "2", f"--junitxml={xml}", f"--harness-report={tmp_path / 'runs'}")
    result.assert_outcomes(passed=2)
    cases = list(ET.parse(xml).iter("testcase"))
    assert sorted(case.attrib["name"] for case in cases) == ["one[real-5]", "two[real-5]"]
    for case in cases:
        told = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        assert (told["seed"], told["world"], told["verdict"]) == ("5", "real", "pass")
        assert json.loads(Path(told["report"], "verdict.json").read_text())["outcome"] == "pass"
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_failure_tells_what_broke(project: Run, short_scenario: Text) -> None:
    """Verdict, evidence, the line of the file, the report and the command that runs it again; no traceback of
    ours.
    """
    result = project({"a.yaml": short_scenario("one")}, "--harness-mutant", "accepted-not-stored")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "one: FAIL - *no-lost-job*",
            "  fail: no-lost-job (always): *",
            "    *a.yaml:12: always: *no-lost-job*",
            "    - job * accepted at * has no outcome*",
            "  report: *report.html",
            "  again:  harness run *a.yaml --world real --seed 5 --mutant accepted-not-stored",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_what_a_result_leaves_out_is_counted_too() -> None:
    """A result lists twenty problems and says how many more there were; those are more than it lists."""
    found = conclude([Problem(0, n, "late") for n in range(500)], samples=500, broken="late", good="", nothing="")
    check = CheckResult(
        name="x", when="always", outcome=found.outcome, samples=500, summary="late", evidence=found.evidence
    )
    verdict = Verdict(scenario="s", seed=0, world="real", outcome=Outcome.FAIL, reason="r", checks=(check,))
    planned = SimpleNamespace(loaded=SimpleNamespace(source=SimpleNamespace(text="")), path="a.yaml", again="again")
    finished: Any = SimpleNamespace(verdict=verdict, planned=planned, folder=SimpleNamespace(html="report.html"))

    assert list(describe(finished))[-4:-2] == ["    - and 495 more", ""]


GUARD = """
import pytest
from harness.leaks import guarded
@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with guarded(objects=False):
        return (yield)
"""
"""Fails whatever leaves a process, a port or a file behind."""


def _asking(text: str) -> str:
    """A conftest.py that says what time-out an item has, and runs none."""
    return f"""
import pytest_timeout
def pytest_collection_modifyitems(items):
    for item in items:
        print("TIMEOUT", item.name, pytest_timeout._get_item_settings(item)[:2])
{text}"""


@pytest.mark.parametrize(
    ("arguments", "ini", "seconds"),
    [
        ((), "", 190.0),  # what its limits add up to
        (("--timeout", "7"), "", 7.0),
        ((), "timeout = 8\n", 8.0),
        (("--timeout", "7"), "timeout = 8\n", 7.0),
        (("--timeout", "0"), "", 0.0),
    ],
)
def test_whoever_runs_pytest_sets_the_time_out(
    here: Run,
    pytester: pytest.Pytester,
    short_scenario: Text,
    arguments: tuple[str, ...],
    ini: str,
    seconds: float,
) -> None:
    """Option before ini before the scenario's limits; always by signal, which lets a run clean up."""
    pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider\ntimeout_method = thread\n{ini}")
    files = {"a.yaml": short_scenario("one"), "conftest.py": _asking("")}

    result = here(files, "--collect-only", "-q", "-s", *arguments)

    assert f"TIMEOUT one[real-5] ({seconds}, 'signal')" in result.outlines


def test_the_environment_sets_the_time_out_too(
    here: Run, short_scenario: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTEST_TIMEOUT, as for any test."""
    monkeypatch.setenv("PYTEST_TIMEOUT", "9")

    result = here({"a.yaml": short_scenario("one"), "conftest.py": _asking("")}, "--collect-only", "-q", "-s")

    assert "TIMEOUT one[real-5] (9.0, 'signal')" in result.outlines


def test_a_run_cut_by_its_time_out_leaves_nothing(project: Run, short_scenario: Text, tmp_path: Path) -> None:
    """A run in its midst is healed, torn down and written; it fails as timed out, and the next test goes on."""
    text = short_scenario("one").replace("count: 12}", "count: 1}\n  - {advance: 15s}")
    files = {"a.yaml": text, "conftest.py": GUARD, "test_next.py": "def test_it():\n    pass\n"}

    result = project(files, "--timeout", "5", f"--harness-report={tmp_path / 'runs'}")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*Timeout*5*"])
    assert "left behind" not in result.stdout.str() + result.stderr.str()
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "verdict.json").read_text())["outcome"] == "interrupted"
