"""`harness run`: verdicts, exit codes, documents for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.harness.conftest import FakeDriver

    Harness = Callable[..., Result]

pytestmark = pytest.mark.unit


def test_a_run_that_passes_ends_with_zero_and_leaves_its_folder(harness: Harness, short: Path, tmp_path: Path) -> None:
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
        ("checks.finally=[ports-free]", 3),
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
        short.read_text("utf-8").replace("name: short", "name: other").replace("no-orphan-process", "ports-free"),
        "utf-8",
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
