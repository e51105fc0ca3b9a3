"""What the command line prints: tables, arguments, stored runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from harness import terminal
from harness.errors import UsageError
from harness.report.folder import RunFolder

pytestmark = pytest.mark.unit


class Arguments(BaseModel):
    """Arguments of three kinds."""

    needed: int
    restart: float = 10.0
    cls: str = Field(default="Worker", alias="class")
    nothing: str | None = None


def test_arguments_are_told_by_the_names_that_files_use() -> None:
    """A default is told, one that is required or None stands alone."""
    assert terminal.arguments_of(Arguments) == "needed, restart=10.0, class=Worker, nothing"
    assert terminal.arguments_of(None) == ""


def test_a_table_is_text_for_people_and_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """The same rows."""
    rows = [{"name": "a", "about": "first"}, {"name": "b", "about": "second"}]

    terminal.print_table(rows, as_json=False)
    people = capsys.readouterr().out
    terminal.print_table(rows, as_json=True)
    machines = capsys.readouterr().out

    assert [line.split() for line in people.splitlines()] == [
        ["name", "about"],
        ["a", "first"],
        ["b", "second"],
    ]
    assert json.loads(machines) == rows


def test_an_empty_table_prints_nothing_to_people_and_an_empty_list_to_machines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine must always be able to parse it."""
    terminal.print_table([], as_json=False)
    terminal.print_table([], as_json=True)

    assert capsys.readouterr().out == "[]\n"


def test_a_run_that_ended_before_it_began_cannot_be_judged_again(tmp_path: Path) -> None:
    """The message says what the folder lacks."""
    folder = RunFolder.create(tmp_path, "x", "real", 1)

    with pytest.raises(UsageError, match=r"it has no manifest\.json and no history\.jsonl"):
        terminal.report_again(folder.path, as_json=False)
