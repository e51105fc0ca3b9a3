"""The face toward the terminal: what it prints, how it ends, and that no mistake shows a traceback."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from harness.cli import main
from harness.targets.registry import drivers

if TYPE_CHECKING:
    from tests.harness.conftest import FakeDriver

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
SHORT = """\
scenario: 1
name: short
about: A moment's load.
kind: load
worlds: [real]
seed: 3
limits: {setup: 5s, run: 5s, settle: 2s, teardown: 2s}
target: {driver: fake}
topology: {handlers: {name: h1}}
workload:
  - {id: jobs, op: job.submit, with: {handler: h1, method: work}, rate: 20/s, for: 250ms}
checks:
  always: [no-lost-job]
  finally: [no-orphan-process]
"""

Harness = Callable[..., Result]


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """Calls the command line in this process, with reports below a folder of the test's own."""

    def call(*words: str | Path) -> Result:
        found = CliRunner().invoke(
            main, [str(word) for word in words], env={"HARNESS_REPORT": str(tmp_path / "reports")}
        )
        assert "Traceback" not in found.output
        assert found.exception is None or isinstance(found.exception, SystemExit)
        return found

    return call


@pytest.fixture
def fake_installed(driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """The fake driver registered as another package would do it: by an entry point."""
    info = tmp_path / "site" / "fake_target-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-target\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[harness.targets]\nfake = fake_target_of_tests:make\n", "utf-8")
    module = ModuleType("fake_target_of_tests")
    module.make = lambda: driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_target_of_tests", module)
    monkeypatch.syspath_prepend(str(info.parent))
    drivers.cache_clear()
    yield driver
    drivers.cache_clear()


@pytest.fixture
def short(fake_installed: FakeDriver, tmp_path: Path) -> Path:
    """A scenario file on the fake driver."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, "utf-8")
    return path


# -- run -------------------------------------------------------------------------------------------------------


def test_a_run_that_passes_ends_with_zero_and_leaves_its_folder(
    harness: Harness, short: Path, tmp_path: Path
) -> None:
    """Verdict, how to run it again, and where the report lies; the folder holds what is documented."""
    found = harness("run", short)

    assert found.exit_code == 0
    assert "PASS" in found.output
    assert f"harness run {short} --world real --seed 3" in " ".join(found.output.split())
    (folder,) = (tmp_path / "reports").iterdir()
    assert folder.name.endswith("-short-real-3")
    names = {
        "manifest.json",
        "history.jsonl",
        "verdict.json",
        "junit.xml",
        "report.html",
        "scenario.yaml",
        "logs",
    }
    assert names <= {path.name for path in folder.iterdir()}


def test_a_run_tells_json_to_machines(harness: Harness, short: Path) -> None:
    """One document a run, and nothing else on standard output."""
    found = harness("run", short, "--json", "--seeds", "1..2")

    documents = json.loads(found.stdout)
    assert [(d["seed"], d["outcome"]) for d in documents] == [(1, "pass"), (2, "pass")]
    assert all(Path(d["report"]).is_dir() for d in documents)


def test_a_run_that_fails_ends_with_one_and_tells_why(
    harness: Harness, short: Path, fake_installed: FakeDriver
) -> None:
    """The check, its line in the file and the evidence."""

    async def orphan() -> list[dict[str, Any]]:
        return [{"pid": 4711}]

    fake_installed.script["audit"] = orphan

    found = harness("run", short)

    assert found.exit_code == 1
    assert "no-orphan-process" in found.output
    assert "pid 4711" in found.output


@pytest.mark.parametrize(
    ("override", "code"),
    [
        ("checks.always=[{runs: {of: nothing, max: 1}}]", 3),
        ("steady=[{within: 100ms, expect: {backlog: 7}}]", 4),
    ],
)
def test_every_other_end_has_its_code(harness: Harness, short: Path, override: str, code: int) -> None:
    """Unknown is 3, a target that is never steady is 4."""
    assert harness("run", short, "--set", override).exit_code == code


def test_the_worst_of_several_runs_decides(harness: Harness, short: Path, tmp_path: Path) -> None:
    """One that fails among those that pass: 1, and a summary of all."""
    other = tmp_path / "other.yaml"
    other.write_text(
        SHORT.replace("name: short", "name: other").replace("no-orphan-process", "ports-free"), "utf-8"
    )

    found = harness("run", short, other)

    assert found.exit_code == 3
    assert "PASS" in found.output
    assert "other" in found.output


@pytest.mark.parametrize("seed", ["7", "0"])
def test_the_command_line_beats_the_environment_and_the_file(
    harness: Harness, short: Path, tmp_path: Path, seed: str
) -> None:
    """The manifest stores which setting won and where it came from."""
    harness("run", short, "--seed", seed)

    (folder,) = (tmp_path / "reports").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["seed"] == int(seed)
    assert manifest["settings"]["seed"] == {"value": int(seed), "source": "command line"}
    assert manifest["settings"]["reports"]["source"] == "environment"


# -- what a user can get wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (("kind: load", "kind: lod"), ":4:7", "lod"),
        (("driver: fake", "driver: fke"), ":8:18", "did you mean 'fake'?"),
        (("op: job.submit", "op: job.submt"), ":11:20", "job.submt"),
        (("[no-lost-job]", "[no-lost-jobs]"), ":13:12", "no-lost-jobs"),
        (("for: 250ms", "for: 250"), ":11:", "250"),
        (("seed: 3", "seed: 3\nseed: 4"), ":7:1", "seed"),
        (
            ("checks:", "faults:\n  - {id: x, kind: process.kil, where: h1, at: 1s}\nchecks:"),
            ":13:19",
            "process.kil",
        ),
    ],
)
def test_a_wrong_scenario_is_shown_with_file_line_and_column(
    harness: Harness, short: Path, fake_installed: FakeDriver, change: tuple[str, str], place: str, message: str
) -> None:
    """With the line itself and a caret; exit 2, and nothing was started."""
    short.write_text(SHORT.replace(*change), "utf-8")

    for command in ("run", "validate", "explain"):
        found = harness(command, short)
        assert found.exit_code == 2, found.output
        assert f"{short}{place}" in found.stderr
        assert message.lower() in found.stderr.lower()
        assert "^" in found.stderr
    assert fake_installed.told == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file or folder"),
        (["run", "EMPTY"], "no scenario files (*.yaml) in"),
        (["run", "SHORT", "--seeds", "5..1"], "the range '5..1' ends before it begins"),
        (["run", "SHORT", "--seeds", "some"], "expected a range such as 1..20"),
        (["run", "SHORT", "--seeds", "1..2", "--seed", "3"], "--seed and --seeds exclude each other"),
        (["run", "SHORT", "--seed", "-1"], "not in the range x>=0"),
        (["run", "SHORT", "--set", "limits.rum=5s"], "limits.rum"),
        (["run", "SHORT", "--set", "workload.7.for=5s"], "workload.7"),
        (["run", "SHORT", "--set", "nonsense"], "nonsense"),
        (["run", "SHORT", "--world", "sim"], "sim"),
        (["run", "SHORT", "--world", "moon"], "'moon' is not one of"),
        (["run", "SHORT", "--only", "other"], "no scenario in these files is called 'other'"),
        (["run", "SHORT", "--mutant", "none"], "the fake target has no mutant 'none'"),
        (["run", "SHORT", "-n", "0"], "not in the range x>=1"),
        (["run"], "Missing argument"),
        (["rum", "SHORT"], "Did you mean 'run'?"),
        (["validat", "SHORT"], "Did you mean 'validate'?"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["report", "EMPTY"], "is not the folder of a run"),
        (["report", "nowhere"], "is no folder"),
        (["catalog", "nowhere.yaml"], "cannot read the catalogue nowhere.yaml"),
        (["catalog", "SHORT"], "is not a catalogue"),
    ],
)
def test_a_mistake_on_the_command_line_ends_with_two_and_a_sentence(
    harness: Harness, short: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    """On standard error, saying what was found and what is expected; standard output stays empty."""
    empty = tmp_path / "empty"
    empty.mkdir()
    places = {"SHORT": str(short), "EMPTY": str(empty)}

    found = harness(*[places.get(word, word) for word in words])

    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert found.stdout == ""


def test_a_world_that_the_driver_does_not_know_yet_is_refused_in_words(
    harness: Harness, short: Path, fake_installed: FakeDriver
) -> None:
    """A scenario may name a world that this version cannot play; nothing is started."""
    short.write_text(SHORT.replace("worlds: [real]", "worlds: [real, sim]"), "utf-8")

    found = harness("run", short, "--world", "sim")

    assert found.exit_code == 2
    assert "sim" in found.stderr
    assert fake_installed.told == []


def test_reports_that_cannot_be_written_are_told_before_anything_starts(
    harness: Harness, short: Path, tmp_path: Path, fake_installed: FakeDriver
) -> None:
    """A file where the folder should be; the message names another way."""
    taken = tmp_path / "taken"
    taken.write_text("", "utf-8")

    for place in (taken, taken / "below"):
        found = harness("run", short, "--report", place)
        assert found.exit_code == 2
        assert "cannot write reports below" in found.stderr
    assert fake_installed.told == []


def test_an_error_that_nobody_expected_is_one_line(
    harness: Harness, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5, the error's own words, and how to see more."""

    def explode(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("harness.session.plan", explode)

    found = harness("run", short)

    assert found.exit_code == 5
    assert found.stderr == "harness: ZeroDivisionError: a bug (set HARNESS_DEBUG=1 to see where)\n"


# -- the other commands ----------------------------------------------------------------------------------------


def test_validate_names_every_scenario_of_this_repository(harness: Harness) -> None:
    """All files are valid; as JSON it is a list of files and names."""
    people, machines = harness("validate", SCENARIOS), harness("validate", SCENARIOS, "--json")

    assert (people.exit_code, machines.exit_code) == (0, 0)
    assert "load.steady is a valid scenario" in people.output
    assert "chaos.handlers-under-fire" in [entry["name"] for entry in json.loads(machines.stdout)]


def test_explain_tells_the_timeline_and_draws_it_from_the_seed(harness: Harness) -> None:
    """Nothing is played; the same seed draws the same times, another one other times."""
    path = SCENARIOS / "chaos" / "handler_kill.yaml"
    first, again, other = (
        harness("explain", path, "--seed", seed, "--json").stdout for seed in ("7", "7", "8")
    )

    assert first == again != other
    told = json.loads(first)
    assert (told["scenario"], told["seed"]) == ("chaos.handler-kill", 7)
    assert {entry["name"] for entry in told["timeline"]} >= {"jobs", "crash"}
    assert "crash" in harness("explain", path).output


def test_list_tells_what_there_is(harness: Harness) -> None:
    """A row a scenario with its kind and what it is about."""
    found = harness("list", SCENARIOS, "--json")

    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert rows["load.surge"]["kind"] == "load"
    assert rows["load.surge"]["about"] == "Does the scheduler keep its promises while arrivals triple?"
    assert "load.surge" in harness("list", SCENARIOS / "load").output


def test_the_schema_is_a_json_schema_that_knows_the_driver(harness: Harness) -> None:
    """Editors complete from it."""
    schema = json.loads(harness("schema").stdout)

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "schedule_zero" in json.dumps(schema)


@pytest.mark.parametrize(
    ("command", "key", "names"),
    [
        (
            "faults",
            "kind",
            {"process.kill", "process.pause", "zmq.state", "handler.silent", "handler.slow", "store.locked"},
        ),
        (
            "checks",
            "check",
            {"no-lost-job", "runs-per-job", "steps-done", "brought-back", "efsm-raised", "growth"},
        ),
    ],
)
def test_what_is_registered_is_listed_with_a_line_of_help(
    harness: Harness, command: str, key: str, names: set[str]
) -> None:
    """For people and for machines."""
    rows = json.loads(harness(command, "--json").stdout)

    assert {row[key] for row in rows} >= names
    assert min(names) in harness(command).output


def test_report_judges_a_stored_run_again(harness: Harness, short: Path, tmp_path: Path) -> None:
    """The same verdict and exit code, and the reports are written anew."""
    harness("run", short)
    (folder,) = (tmp_path / "reports").iterdir()
    (folder / "report.html").unlink()

    people, machines = harness("report", folder), harness("report", folder, "--json")

    assert people.exit_code == 0
    assert "PASS" in people.output
    assert json.loads(machines.stdout)["outcome"] == "pass"
    assert (folder / "report.html").is_file()


def test_the_catalogue_is_listed(harness: Harness) -> None:
    """Eight entries, each with its mutant; `--only` picks by id, and one that fits nothing is told."""
    path = SCENARIOS / "regression" / "catalog.yaml"

    assert len(json.loads(harness("catalog", path, "--json").stdout)) == 8
    assert [e["mutant"] for e in json.loads(harness("catalog", path, "--only", "efsm", "--json").stdout)] == [
        "efsm-not-recovered"
    ]
    assert harness("catalog", path, "--only", "unheard-of").exit_code == 2


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_with_an_example_and_the_exit_codes(harness: Harness, command: str) -> None:
    """`--help` is where a person looks first."""
    found = harness(command, "--help")

    assert found.exit_code == 0
    assert "Example: harness" in found.output
    assert "130 interrupted" in " ".join(found.output.split())


def test_the_version_is_told(harness: Harness) -> None:
    """And nothing else."""
    assert harness("--version").output == "harness, version 0.1.0\n"
