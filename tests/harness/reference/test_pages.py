"""Filling the marked places of a page, and the completeness of what is filled in."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from harness import plugin
from harness.cli import main as harness
from harness.errors import UsageError
from harness.mocks import behaviours
from harness.reference.__main__ import main
from harness.reference.meanings import MEANINGS
from harness.reference.pages import BLOCKS, render
from harness.reference.types import BEHAVIOURS, PARTS
from harness.scenario.fields import aliases
from harness.targets.registry import drivers


def test_only_what_is_marked_is_changed() -> None:
    """Text by hand stays; what stood between the marks goes."""
    page = "before\n<!-- generated: exit-codes -->\nstale words\n<!-- end -->\nafter\n"
    rendered = render(page)
    assert rendered.startswith("before\n<!-- generated: exit-codes -->\n\n| code | name | meaning |\n")
    assert rendered.endswith("|\n\n<!-- end -->\nafter\n")
    assert "stale words" not in rendered


@pytest.mark.slow
def test_rendering_twice_changes_nothing() -> None:
    """A page that is up to date stays as it is."""
    once = render("".join(f"<!-- generated: {name} -->\n<!-- end -->\n" for name in BLOCKS))
    assert render(once) == once


def test_an_unknown_name_is_refused() -> None:
    """A mistyped mark is told, with the names there are."""
    with pytest.raises(UsageError, match=r"nothing generated is called 'exit-code'; there are: .*exit-codes"):
        render("<!-- generated: exit-code -->\n<!-- end -->")


def test_the_command_writes_what_is_out_of_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the pages that it changed, and touches no others."""
    (tmp_path / "a.md").write_text("<!-- generated: markers -->\n<!-- end -->\n")
    (tmp_path / "b.md").write_text("by hand")
    main(tmp_path)
    main(tmp_path)
    assert capsys.readouterr().out == f"{tmp_path / 'a.md'}\n"
    assert "| `zmq` | about ZeroMQ |" in (tmp_path / "a.md").read_text()


def _models() -> list[type[BaseModel]]:
    found = list(PARTS)
    for driver in drivers().values():
        found += [driver.options, driver.scheduler_options, *(op.args for op in driver.ops.values())]
        found += [driver.handler_options] if driver.handler_options else []
    return [model for model in dict.fromkeys(found) if model.model_fields]


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_every_key_has_its_meaning(model: type[BaseModel]) -> None:
    """No key of a scenario file is left without an explanation, and none is explained that is not there."""
    assert sorted(MEANINGS[model.__name__]) == sorted(aliases(model))


def test_every_behaviour_is_shown() -> None:
    """Each word that `parse` knows has an example, and the example can be read."""
    assert sorted(BEHAVIOURS) == list(behaviours.words())
    for written in BEHAVIOURS.values():
        assert isinstance(behaviours.parse(YAML(typ="safe", pure=True).load(written)), behaviours.Behaviour)


def test_every_command_is_shown() -> None:
    """Each command of `harness` has its help, with the example."""
    shown = BLOCKS["commands"]()
    for name, command in harness.commands.items():
        assert isinstance(command, click.Command)
        assert f"### harness {name}\n" in shown
    assert "Example: harness run scenarios/chaos --seeds 1..5 -n 2" in shown
    assert "Exit codes" not in shown


def test_every_fixture_and_option_is_shown() -> None:
    """What the plugin offers is what its page tells."""
    shown = BLOCKS["fixtures"]()
    offered = [name for name in plugin.__all__ if not name.startswith("pytest_") and name.islower()]
    assert len(offered) == 12
    assert all(f"### {name}\n\n" in shown for name in offered)
    assert "### MARKERS" not in shown
    assert "| `--harness-seed N` |" in BLOCKS["pytest-options"]()
    assert "| `HARNESS_SEED` | `--seed` |" in BLOCKS["environment"]()


def test_tasks_of_a_driver_are_shown() -> None:
    """Each with its arguments, and with what it does to the scheduler's event loop."""
    lines = BLOCKS["drivers"]().splitlines()
    table = lines[lines.index("| task | arguments | what it does |") + 2 :]
    rows = {line.split("`")[1]: line for line in table[: table.index("")]}

    assert sorted(rows) == ["block", "echo", "fail", "sleep", "tick", "work"]
    assert all(" loop " in row for row in rows.values())
    assert rows["tick"].startswith("| `tick` | any | Answer what was given, at once.")
    assert rows["fail"].startswith("| `fail` | `message` (`told to fail`) | Raise")
    assert rows["sleep"].startswith("| `sleep` | `seconds` (`0.05`), any others | Sleep for `seconds`")
    assert "With `executor: threadpool` the event loop goes on; without, it stands still" in rows["sleep"]


def test_names_of_the_registries_are_shown() -> None:
    """Faults, checks, sightings, mutants, records and files are there by name."""
    assert "### process.kill\n" in BLOCKS["faults"]()
    assert "### no-lost-job\n" in BLOCKS["checks"]()
    assert "| `efsm-raised` |" in BLOCKS["sometimes"]()
    assert "| `pid-file-kept` |" in BLOCKS["mutants"]()
    assert "| `operation` |" in BLOCKS["records"]()
    assert "| `history.jsonl` |" in BLOCKS["files"]()
    assert "#### job.submit\n" in BLOCKS["drivers"]()
    assert "### Workload\n" in BLOCKS["scenario"]()
    assert "`truncated`" in BLOCKS["variants"]()
