"""What a schedule owes, worked out by hand for each policy, and when it could be looked at."""

from __future__ import annotations

import pytest

from harness.models.fires import Coalesce, Demand, Policy, expected
from harness.models.readiness import Gate, State, Window, all_of, window
from harness.models.triggers import Fire

pytestmark = pytest.mark.unit

EVERY_TEN = [Fire(at) for at in range(0, 100, 10)]
ALWAYS = Gate().at(-5, State.ON)
DOWN = ALWAYS.between(24, 26, State.OFF).between(64, 66, State.ON)
"""Off from 27 to 63, unsure for 3 µs on the way down and up."""


def demands(gate: Gate, policy: Policy, lag: int = 2, horizon: int = 1000) -> str:
    """One letter a time: M must, m may, - never."""
    letters = {Demand.MUST: "M", Demand.MAY: "m", Demand.NEVER: "-"}
    return "".join(letters[item.job] for item in expected(EVERY_TEN, gate, policy, lag, horizon))


def runs(gate: Gate, policy: Policy, lag: int = 2) -> str:
    """The same of the jobs' runs."""
    letters = {Demand.MUST: "M", Demand.MAY: "m", Demand.NEVER: "-"}
    return "".join(letters[item.run] for item in expected(EVERY_TEN, gate, policy, lag, 1000))


@pytest.mark.parametrize("coalesce", list(Coalesce))
def test_every_time_is_owed_while_nothing_stands_in_the_way(coalesce: Coalesce) -> None:
    """Whatever the policy."""
    assert demands(ALWAYS, Policy(coalesce)) == "M" * 10


@pytest.mark.parametrize(
    ("coalesce", "owed"),
    [
        # 30 to 60 become due together, at 64 at the earliest and at 69 at the latest, before 70.
        (Coalesce.ALL, "MMMMMMMMMM"),
        (Coalesce.LATEST, "MMM---MMMM"),
        (Coalesce.EARLIEST, "MMMM---MMM"),
    ],
)
def test_of_times_that_became_due_together_the_policy_says_which_are_fired(coalesce: Coalesce, owed: str) -> None:
    """After a time down from 24 to 64."""
    assert demands(DOWN, Policy(coalesce)) == owed


def test_a_slow_scheduler_may_take_the_next_time_along() -> None:
    """With 10 µs to deal with it, what is due at 70 may be in one batch with what is due at 60, or alone."""
    assert demands(DOWN, Policy(Coalesce.LATEST), lag=10) == "mmm---mmmM"


def test_a_time_is_not_run_when_its_grace_is_over() -> None:
    """Looked at between 64 and 69: 30 and 40 are too late by then with a grace of 15, 60 is not, 50 may be."""
    assert runs(DOWN, Policy(Coalesce.ALL, grace=15)) == "MMM--mMMMM"
    assert demands(DOWN, Policy(Coalesce.ALL, grace=15)) == "M" * 10


def test_nothing_is_owed_once_it_is_never_looked_at_again() -> None:
    """Removed for good at 24; what could not be dealt with before the horizon is not owed either."""
    assert demands(ALWAYS.between(24, 26, State.OFF), Policy()) == "MMM-------"
    assert demands(ALWAYS, Policy(), horizon=51) == "MMMMMmmmmm"


def test_a_change_that_nobody_is_sure_of_makes_everything_after_it_optional() -> None:
    """A pause that was never answered."""
    assert demands(ALWAYS.between(24, 26, State.UNSURE), Policy(Coalesce.ALL)) == "MMMmmmmmmm"


def test_a_time_that_clocks_skip_is_never_owed() -> None:
    """And does not swallow the one before it for sure."""
    fires = [Fire(30), Fire(40, sure=False)]
    found = expected(fires, DOWN, Policy(Coalesce.LATEST), 3, 1000)

    assert [item.job for item in found] == [Demand.MAY, Demand.MAY]


def test_gates() -> None:
    """A change at the very moment of a time leaves it open; all are open only where each is; doubt spares what is
    shut.
    """
    gate = ALWAYS.between(20, 20, State.OFF)
    assert [gate.state(at).value for at in (19, 20, 21)] == ["on", "unsure", "off"]
    both = all_of((DOWN, Gate().at(50, State.ON)))
    assert [both.state(at).value for at in (40, 60, 65, 80)] == ["off", "off", "unsure", "on"]
    doubted = DOWN.doubted(10, 40)
    assert [doubted.state(at).value for at in (5, 15, 30, 50, 80)] == ["on", "unsure", "off", "off", "on"]


def test_windows() -> None:
    """From the first moment that it could be looked at, to the last at which that must have been."""
    assert window(DOWN, 10, 3) == Window(10, 13)
    assert window(DOWN, 30, 3) == Window(64, 70)
    assert window(Gate(), 30, 3).earliest is None
