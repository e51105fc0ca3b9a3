"""The commands that run nothing: validate, explain, list, schema, faults, checks, report, catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Harness = Callable[..., Result]

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "scenarios"


def test_validate_names_every_scenario_of_this_repository(harness: Harness) -> None:
    """All files are valid; as JSON it is a list of files and names."""
    people, machines = harness("validate", SCENARIOS), harness("validate", SCENARIOS, "--json")

    assert (people.exit_code, machines.exit_code) == (0, 0)
    assert "load.steady is a valid scenario" in people.output
    assert "chaos.handlers-under-fire" in [entry["name"] for entry in json.loads(machines.stdout)]


def test_explain_tells_the_timeline_and_draws_it_from_the_seed(harness: Harness) -> None:
    """Nothing is played; the same seed draws the same times, another one other times."""
    path = SCENARIOS / "chaos" / "handler_kill.yaml"
    first, again, other = (harness("explain", path, "--seed", seed, "--json").stdout for seed in ("7", "7", "8"))

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
    """The entries, each with its mutant; `--only` picks by id, and one that fits nothing is told."""
    path = SCENARIOS / "regression" / "catalog.yaml"

    assert len(json.loads(harness("catalog", path, "--json").stdout)) == 9
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
