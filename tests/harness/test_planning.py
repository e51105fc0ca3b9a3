"""Which runs a command asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.planning import plan
from harness.scenario.model import World

SCENARIO = """\
scenario: 1
name: {name}
about: Nothing much.
kind: regression
worlds: {worlds}
seed: 3
target: {{driver: apscheduler}}
topology: {{scheduler: {{store: memory}}}}
given: [{{op: schedule.add, with: {{id: tick, every: 1s}}}}]
when: [{{advance: 1s}}]
then: [fires-as-modelled]
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one scenario for both worlds, and one for each."""
    for name, worlds in (("both", "[sim, real]"), ("only-real", "[real]"), ("only-sim", "[sim]")):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO.format(name=name, worlds=worlds))
    return tmp_path


@pytest.mark.parametrize(
    ("world", "runs", "left"),
    [
        (World.SIM, ["both", "only-sim"], ["only-real"]),
        (World.REAL, ["both", "only-real"], ["only-sim"]),
        (None, ["both", "only-real", "only-sim"], []),
    ],
)
def test_what_in_a_folder_does_not_run_in_the_world_is_left_out_and_told(
    files: Path, world: World | None, runs: list[str], left: list[str]
) -> None:
    """The others are played."""
    told: list[str] = []

    planned = plan([files], world=world, on_left_out=lambda loaded: told.append(loaded.scenario.name))

    assert [run.loaded.scenario.name for run in planned] == runs
    assert told == left


def test_a_file_that_does_not_run_in_the_world_is_refused_before_anything_is_played(files: Path) -> None:
    """When it is named itself, also beside others; and a folder in which no other is."""
    said = r"only-real\.yaml: only-real runs in: real; asked for: sim"
    with pytest.raises(UsageError, match=said):
        plan([files / "both.yaml", files / "only-real.yaml"], world=World.SIM)
    (files / "both.yaml").unlink()
    (files / "only-sim.yaml").unlink()
    with pytest.raises(UsageError, match=said):
        plan([files], world=World.SIM)
