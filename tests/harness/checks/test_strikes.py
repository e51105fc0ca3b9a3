"""Which of the times that a fault was on it met anything."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from harness.checks.base import Case, Section
from harness.checks.strikes import Strikes
from harness.history.history import History
from harness.history.records import Fault, FaultEvent, Header, MetBy


def life(event: FaultEvent, at: float) -> Fault:
    """Something in the life of a fault on a socket."""
    detail = {"met_by": MetBy.USE.value} if event is FaultEvent.INJECTED else {}
    return Fault(at=at, id="efsm", kind="zmq.state", event=event, place="scheduler.req", detail=detail)


TWICE = [
    life(FaultEvent.INJECTED, 10.0),
    life(FaultEvent.HEALED, 15.0),
    life(FaultEvent.INJECTED, 20.0),
    life(FaultEvent.HEALED, 25.0),
]


@pytest.fixture
def strikes(scenario: Any) -> Any:
    """What these records tell."""
    return lambda *records: Strikes(Case(History(Header(), records), scenario(), Section.ALWAYS))


def firsts(told: Strikes) -> list[float | None]:
    """When each injection first struck."""
    return [told.first(one) for one in told.injected["efsm"]]


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ([12.0], [12.0, None]),
        ([22.0, 23.0], [None, 22.0]),
        ([22.0, 12.0], [12.0, 22.0]),
        ([9.999, 19.999], [9.999, 19.999]),  # told to act, it does so before that is recorded
        ([25.5], [None, None]),
    ],
)
def test_a_use_is_met_by_the_injection_that_was_on(
    strikes: Any, write: Any, uses: list[float], expected: list[float | None]
) -> None:
    """A fault that strikes again has struck once more only if it was used once more."""
    used = [write.event(at, "fault-struck", "tcp://x", fault="efsm@scheduler.req") for at in uses]

    assert firsts(strikes(*TWICE, *used)) == expected


def test_what_was_never_healed_has_no_end(strikes: Any) -> None:
    """It was on until the run ended."""
    told = strikes(*TWICE[:3])

    assert [told.end(one) for one in told.injected["efsm"]] == [15.0, inf]
