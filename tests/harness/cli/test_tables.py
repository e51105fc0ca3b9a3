"""Tables: for people text, for machines JSON, with arguments as objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field

from harness.cli_tables import arguments_of, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Harness = Callable[..., Result]

pytestmark = pytest.mark.unit


class Inner(BaseModel):
    """A value that is a mapping."""

    n: int


class Arguments(BaseModel):
    """Arguments of several kinds."""

    needed: int
    restart: float = 10.0
    cls: str = Field(default="Worker", alias="class")
    nothing: str | None = None
    ping: bool = True
    deep: Inner | None = None


def test_arguments_are_objects_by_the_names_that_files_use() -> None:
    """Name, whether it is required, default, and a schema that can be read alone."""
    told = {argument["name"]: argument for argument in arguments_of(Arguments)}

    assert list(told) == ["needed", "restart", "class", "nothing", "ping", "deep"]
    assert told["needed"] == {"name": "needed", "required": True, "default": None, "schema": {"type": "integer"}}
    assert told["class"] == {"name": "class", "required": False, "default": "Worker", "schema": {"type": "string"}}
    assert told["deep"]["schema"]["$defs"]["Inner"]["properties"]["n"]["type"] == "integer"
    assert arguments_of(None) == []


def test_a_table_is_text_for_people_and_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """The same rows; lists are joined, arguments stand with their defaults."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "acts_on": ["x", "y"], "arguments": arguments_of(Arguments)[:5]},
        {"name": "b", "acts_on": [], "arguments": []},
    ]

    print_table(rows, as_json=False)
    people = capsys.readouterr().out
    print_table(rows, as_json=True)
    machines = capsys.readouterr().out

    assert [" ".join(line.split()) for line in people.splitlines()] == [
        "name acts on arguments",
        "a x, y needed, restart=10.0, class=Worker, nothing, ping=true",
        "b",
    ]
    assert json.loads(machines) == rows


def test_an_empty_table_prints_nothing_to_people_and_an_empty_list_to_machines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine must always be able to parse it."""
    print_table([], as_json=False)
    print_table([], as_json=True)

    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    ("command", "row", "argument"),
    [
        ("faults", {"kind": "process.kill", "worlds": ["real", "sim"]}, {"name": "restart", "required": False}),
        ("checks", {"check": "runs-per-job"}, {"name": "max"}),
        ("checks", {"check": "fault-injected", "sections": ["sometimes"], "arguments": []}, None),
    ],
)
def test_faults_and_checks_have_structure_for_machines(
    harness: Harness, command: Literal["faults", "checks"], row: dict[str, Any], argument: dict[str, Any] | None
) -> None:
    """Worlds, sections and arguments are lists; nobody has to take a text apart."""
    rows = json.loads(harness(command, "--json").stdout)

    (found,) = [one for one in rows if row.items() <= one.items()]
    named = [one for one in found["arguments"] if argument and argument.items() <= one.items()]
    assert len(named) == (1 if argument else 0)
    assert all(set(one) == {"name", "required", "default", "schema"} for one in found["arguments"])
