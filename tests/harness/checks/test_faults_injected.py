"""Faults of the plan that never struck."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.judge import judge
from harness.checks.verdict import CheckResult, Outcome
from harness.history.history import History
from harness.history.records import NOT_IN_SWARM, Fault, FaultEvent, Header

FAULTS = [
    {"id": "crash", "kind": "process.kill", "where": "h2", "at": "1s"},
    {"id": "hang", "kind": "process.pause", "where": "h2", "at": "50s"},
]


def _life(name: str, event: FaultEvent, at: float = 0.0, **detail: Any) -> Fault:
    return Fault(at=at, id=name, kind="x", event=event, detail=detail)


@pytest.fixture
def judged(scenario: Any, write: Any) -> Any:
    """Judge a scenario with both faults on these records, whether it names the check or not."""

    def judged(*records: Any, **sections: Any) -> CheckResult:
        demanded = scenario(kind="chaos", faults=FAULTS, **sections)
        (found,) = judge(demanded, History(Header(), [*write.phases(), *records]))
        return found

    return judged


def test_a_run_in_which_every_fault_struck_passes(judged: Any, write: Any) -> None:
    """Once is enough, also when another time it could not be injected."""
    failed = _life("hang", FaultEvent.FAILED, 3.0, error="no such luck")

    found = judged(*write.fault("crash", 1.0, 2.0), failed, *write.fault("hang", 50.0, 52.0))

    assert (found.name, found.outcome, found.samples) == ("faults-injected", Outcome.PASS, 2)
    assert found.summary == "2 faults of the plan struck"


@pytest.mark.parametrize(
    ("event", "detail"),
    [(FaultEvent.SKIPPED, {"reason": "it came too late"}), (FaultEvent.FAILED, {"error": "it came too late"})],
)
def test_one_that_never_struck_leaves_the_run_unknown_and_tells_why(
    judged: Any, write: Any, event: FaultEvent, detail: dict[str, str]
) -> None:
    """Nothing broke, and what the file is about did not happen."""
    found = judged(*write.fault("crash", 1.0, 2.0), _life("hang", event, 60.0, **detail))

    assert (found.outcome, found.samples) == (Outcome.UNKNOWN, 1)
    assert found.summary == "the fault hang (process.pause) never struck: it came too late"
    assert found.evidence[0].at == 60.0


def test_one_that_was_only_armed_did_not_strike(judged: Any, write: Any) -> None:
    """A promise is no strike."""
    found = judged(*write.fault("crash", 1.0, 2.0), _life("hang", FaultEvent.ARMED))

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "the fault hang (process.pause) never struck: nothing was recorded about it"


def test_what_the_swarm_leaves_out_is_not_owed(judged: Any, write: Any) -> None:
    """It is the seed's choice, and another seed's run has it."""
    found = judged(*write.fault("crash", 1.0, 2.0), _life("hang", FaultEvent.SKIPPED, reason=NOT_IN_SWARM))

    assert (found.outcome, found.samples) == (Outcome.PASS, 1)


def test_it_is_judged_once_where_the_file_names_it(judged: Any, write: Any) -> None:
    """It stands in its own section then."""
    found = judged(*write.fault("crash", 1.0), checks={"finally": ["faults-injected"]})

    assert (found.when, found.outcome) == ("finally", Outcome.UNKNOWN)
