"""Killed processes that come back."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Fault, FaultEvent


def healed(at: float, **detail: Any) -> Fault:
    """A kill of h1 that was healed."""
    return Fault(at=at, id="crash", kind="process.kill", event=FaultEvent.HEALED, place="h1", detail=detail)


def test_what_the_governor_restarts_passes(result: Any) -> None:
    """Each healed kill is a sample."""
    found = result(
        "brought-back", healed(1.0, by="its governor", after=0.3), healed(2.0, by="its governor", after=0.4)
    )

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)


def test_a_governor_that_the_harness_started_as_its_supervisor_passes(result: Any) -> None:
    """Nobody else is there to do it."""
    found = result("brought-back", healed(1.0, by="its supervisor", after=0.6))

    assert (found.outcome, found.samples) == (Outcome.PASS, 1)


def test_what_the_harness_had_to_restart_fails(result: Any) -> None:
    """The evidence names the process, the fault, who did it and when."""
    found = result("brought-back", healed(8.0, by="the harness", after=5.25))

    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 of 1 killed process not brought back by the governor"
    assert found.evidence[0].text == (
        "h1, killed by crash, was not started again by its governor; "
        "the harness did it after 5.25 s (at 8.000 s)"
    )


def test_what_could_not_be_started_at_all_fails(result: Any) -> None:
    """A heal that failed tells why."""
    lost = Fault(
        at=9.0,
        id="crash",
        kind="process.kill",
        event=FaultEvent.FAILED,
        place="h1",
        detail={"while": "healing", "error": "no answer"},
    )

    found = result("brought-back", lost)

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "h1, killed by crash, never ran again: no answer (at 9.000 s)"


@pytest.mark.parametrize(
    "records", [[], [Fault(at=1.0, id="x", kind="process.pause", event=FaultEvent.HEALED, place="h1")]]
)
def test_without_a_kill_nothing_is_proven(result: Any, records: list[Fault]) -> None:
    """Other faults are no samples."""
    assert result("brought-back", records).outcome is Outcome.UNKNOWN
