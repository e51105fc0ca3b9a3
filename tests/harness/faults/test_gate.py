"""At run time the nemesis's promises hold for real heals, not for planned ones."""

from __future__ import annotations

from typing import Any

from harness.faults.gate import Gate
from harness.scenario.model import Nemesis


class Clock:
    """Scenario time in the hands of a test."""

    now = 0.0

    def __call__(self) -> Any:
        """Scenario time."""
        return self.now


def test_no_more_at_once_than_allowed() -> None:
    """The third of two is refused until one has left."""
    gate = Gate(Nemesis(overlap=2), Clock())
    gate.enter()
    gate.enter()
    assert gate.refusal() == "2 faults are on, and the nemesis allows no more than 2 at once"
    gate.leave()
    assert gate.refusal() == ""


def test_quiet_counts_from_the_real_heal() -> None:
    """Quiet begins when the last fault is healed; while another is on there is no quiet to keep."""
    clock = Clock()
    gate = Gate(Nemesis(quiet=5.0), clock)
    assert gate.refusal() == ""
    gate.enter()
    assert gate.refusal() == ""
    clock.now = 10.0
    gate.leave()
    clock.now = 14.9
    assert gate.refusal() == "the nemesis keeps 5 s of quiet after all had healed"
    clock.now = 15.0
    assert gate.refusal() == ""


def test_without_a_nemesis_everything_may_begin() -> None:
    """Nothing is counted where nothing was asked."""
    gate = Gate(None, Clock())
    for _ in range(50):
        gate.enter()
    assert gate.refusal() == ""
