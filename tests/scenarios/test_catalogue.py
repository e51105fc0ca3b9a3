"""Every entry of the regression catalogue catches the defect that it was written for.

CI plays all of it in both worlds, beside the suite of all tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness import catalog
from harness.checks.verdict import Outcome, Verdict
from harness.scenario.model import World

pytestmark = [pytest.mark.integration, pytest.mark.regression, pytest.mark.thorough]

Play = Callable[[Path, str, Sequence[str], World], Verdict]
Told = Callable[[str, str, Verdict], None]

SHORTER = {
    "hanging-after-timeout": ["limits.settle=2s"],
    "process-cleanup": ["cycles.count=1"],
    "pid-file-cleanup": ["cycles.count=1"],
    "concurrent-races": ["cycles.count=1"],
}
"""What makes entries of the catalogue short: the defect shows long before their whole course is over."""

CATALOGUE = catalog.read(Path(__file__).parents[2] / "scenarios" / "regression" / "catalog.yaml")


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World.REAL, id="real", marks=(pytest.mark.real, pytest.mark.slow)),
        pytest.param(World.SIM, id="sim", marks=pytest.mark.sim),
    ],
)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_every_entry_of_the_catalogue_catches_its_mutant(
    entry: catalog.Entry, world: World, play: Play, said_as_told: Told
) -> None:
    """The defect, brought back, fails the scenario at the check that the entry names."""
    verdict = play(entry.path, entry.mutant, SHORTER.get(entry.id, ()), world)

    assert verdict.outcome is Outcome.FAIL, verdict.reason
    assert [c.name for c in verdict.checks if c.outcome is Outcome.FAIL and entry.expect in c.name] != [], (
        verdict.reason
    )
    said_as_told(f"regression/{entry.path.stem}", entry.mutant, verdict)
