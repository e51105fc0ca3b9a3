"""What can be told of a file's faults before it is played."""

from __future__ import annotations

from typing import Any

import pytest

from harness.faults.foresight import foresee
from harness.scenario.model import Scenario

pytestmark = pytest.mark.unit


def foreseen(*faults: dict[str, Any], duration: float = 10.0, **workload: Any) -> list[tuple[str, bool, str]]:
    """What is foreseen of these faults beside a workload of three calls."""
    scenario = Scenario.model_validate(
        {
            "scenario": 1,
            "name": "s",
            "kind": "chaos",
            "target": {"driver": "x"},
            "faults": [{"kind": "process.kill", "where": "h1", **fault} for fault in faults],
            "workload": [{"id": "w", "op": "o", "model": "once", "count": 3, **workload}],
        }
    )
    return [(one.path, one.certain, one.text) for one in foresee(scenario, duration)]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"at": "10s"}, "it begins at 10 s at the earliest, and the run ends at 10 s"),
        ({"from": "50s", "to": "60s"}, "it begins at 50 s at the earliest, and the run ends at 10 s"),
        ({"every": "11s..20s"}, "it begins at 11 s at the earliest, and the run ends at 10 s"),
        ({"every": "4s..5s", "from": "7s"}, "it begins at 11 s at the earliest, and the run ends at 10 s"),
        ({"when": {"event": "w.ok", "nth": 4}}, "it waits for w.ok number 4, and w makes 3 calls"),
    ],
)
def test_what_comes_after_the_end_is_certain_never_to_strike(fault: dict[str, Any], why: str) -> None:
    """Whatever the seed draws."""
    assert foreseen({"id": "f", **fault}) == [("faults.0", True, f"the fault f can never strike: {why}")]


def test_a_fault_that_follows_one_that_never_strikes_never_does_either() -> None:
    """Also along a chain; one that follows any heal has hope while another is left."""
    late, second = {"id": "a", "at": "50s"}, {"id": "b", "after": "a.heal"}
    third, any_heal = {"id": "c", "after": "b.heal"}, {"id": "d", "after": "*.heal"}

    assert [path for path, _, _ in foreseen(late, second, third)] == ["faults.0", "faults.1", "faults.2"]
    told = foreseen(late, second, any_heal, {"id": "e", "at": "1s"})
    assert [path for path, _, _ in told] == ["faults.0", "faults.1"]


def test_a_load_that_the_limit_cuts_is_certain_never_to_be_through() -> None:
    """Such a run comes out unknown however well it goes; one that just fits is not mentioned."""
    steady: dict[str, Any] = {"model": "open", "count": None, "rate": "1/s", "at": "1s"}

    why = "it lasts until 3601 s, and limits.run cuts the run at 300 s"
    assert foreseen(**{**steady, "for": "60min"}) == [
        ("workload.0", True, f"the workload w can never be through: {why}")
    ]
    assert foreseen(**{**steady, "for": "299s"}) == []


@pytest.mark.parametrize(
    "fault", [{"at": "9.9s"}, {"every": "1s..2s"}, {"when": {"event": "w.ok", "nth": 3}}, {"from": "1s", "to": "60s"}]
)
def test_what_comes_in_time_is_not_mentioned(fault: dict[str, Any]) -> None:
    """A warning about nothing would soon be read by nobody."""
    assert foreseen({"id": "f", **fault}) == []


def test_what_some_seeds_draw_too_late_is_a_warning() -> None:
    """The file is not wrong; its run may be."""
    told = foreseen({"id": "f", "every": "8s..12s"})

    assert told == [("faults.0", False, "the fault f may not strike: `every: 8s..12s` in a run of 10 s")]
