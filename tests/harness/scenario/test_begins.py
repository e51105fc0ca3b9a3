"""A simulated run may begin at another time than it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from harness import worlds
from harness.scenario.model import Scenario, World

pytestmark = pytest.mark.unit


def scenario(**more: Any) -> Scenario:
    """The least there is."""
    least = {"scenario": 1, "name": "x", "kind": "regression", "target": {"driver": "schedule_zero"},
             "given": [{"op": "health.check"}]}  # fmt: skip
    return Scenario.model_validate({**least, **more})


@pytest.mark.sim
@pytest.mark.parametrize(
    ("begins", "shown"),
    [(None, datetime(2026, 1, 1, tzinfo=UTC)), ("2026-03-29T00:57Z", datetime(2026, 3, 29, 0, 57, tzinfo=UTC))],
)
def test_the_clocks_show_it(begins: str | None, shown: datetime) -> None:
    """What a simulated process reads first; without it the year begins."""
    with worlds.entered(World.SIM, 1, begins=begins):
        read = datetime.now(UTC)

    assert read.replace(microsecond=0) == shown


def test_it_belongs_to_simulated_scenarios_alone() -> None:
    """Nobody can set the clock of this machine."""
    assert scenario(worlds=["sim"], begins="2026-03-29T00:57Z").begins == "2026-03-29T00:57Z"
    with pytest.raises(ValidationError, match="only in `sim`"):
        scenario(worlds=["sim", "real"], begins="2026-03-29T00:57Z")
    with pytest.raises(ValidationError, match="begins"):
        scenario(worlds=["sim"], begins="tomorrow")
