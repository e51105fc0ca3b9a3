"""Faults of the plan that never struck."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.checks.judge import judge
from harness.checks.verdict import CheckResult, Outcome
from harness.history.history import History
from harness.history.records import NOT_IN_SWARM, Fault, FaultEvent, Header, MetBy

FAULTS = [
    {"id": "crash", "kind": "process.kill", "where": "h2", "at": "1s"},
    {"id": "hang", "kind": "process.pause", "where": "h2", "at": "50s"},
]
MUTE = [{"id": "mute", "kind": "handler.silent", "where": "h2", "at": "10s", "for": "5s"}]
EFSM = [{"id": "efsm", "kind": "zmq.state", "where": "scheduler.req", "how": "double-send", "at": "10s"}]
BUSY = [{"id": "busy", "kind": "store.locked", "at": "10s", "for": "5s"}]


def _life(name: str, event: FaultEvent, at: float = 0.0, **detail: Any) -> Fault:
    return Fault(at=at, id=name, kind="x", event=event, detail=detail)


@pytest.fixture
def judged(scenario: Any, write: Any) -> Any:
    """Judge a scenario with both faults on these records, whether it names the check or not."""

    def judged(*records: Any, **sections: Any) -> CheckResult:
        demanded = scenario(kind="chaos", **{"faults": FAULTS, **sections})
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


def _span(name: str, kind: str, met_by: MetBy, place: str = "h2") -> list[Fault]:
    """A fault that was on from 10 s to 15 s."""
    detail = {"met_by": met_by.value}
    begin = Fault(at=10.0, id=name, kind=kind, event=FaultEvent.INJECTED, place=place, detail=detail)
    return [begin, Fault(at=15.0, id=name, kind=kind, event=FaultEvent.HEALED, place=place)]


@pytest.mark.parametrize(
    ("start", "handler", "struck"), [(12.0, "h2", True), (9.9, "h2", False), (15.1, "h2", False), (12.0, "h1", False)]
)
def test_what_no_call_met_struck_nothing(judged: Any, write: Any, start: float, handler: str, struck: bool) -> None:
    """A handler is silent for those who call it meanwhile; the run proved nothing when nobody did."""
    mute = _span("mute", "handler.silent", MetBy.CALLS)
    found = judged(*mute, write.run("a", start, 16.0, handler=handler), faults=MUTE)

    assert found.outcome is (Outcome.PASS if struck else Outcome.UNKNOWN)
    assert found.summary == (
        "1 fault of the plan struck"
        if struck
        else "the fault mute (handler.silent) struck nothing: it was on at h2 from 10.000 s to 15.000 s, "
        "and no call came to it"
    )


def test_what_never_healed_is_met_by_the_next_call(judged: Any, write: Any) -> None:
    """It was on until the end; and met once, the other times need not be."""
    mute = _span("mute", "handler.silent", MetBy.CALLS)
    again = msgspec.structs.replace(mute[0], at=20.0)

    assert judged(*mute, again, write.run("a", 40.0, 41.0), faults=MUTE).outcome is Outcome.PASS
    assert judged(*mute, again, faults=MUTE).summary.endswith("no call came to it (nor any of 1 more times)")


def test_a_socket_that_nobody_used_was_not_struck(judged: Any, write: Any) -> None:
    """The agent tells when it acts; that it would have is no strike."""
    efsm = _span("efsm", "zmq.state", MetBy.USE, "scheduler.req")
    acted = write.event(12.0, "fault-struck", "tcp://127.0.0.1:5555", fault="efsm@scheduler.req")

    assert judged(*efsm, acted, faults=EFSM).outcome is Outcome.PASS
    found = judged(*efsm, faults=EFSM)
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary.endswith("it was on at scheduler.req from 10.000 s to 15.000 s, and nothing used it")


def test_what_leaves_no_trace_is_said_to_have_been_injected(judged: Any, write: Any) -> None:
    """Who waited for a lock is not known, so nobody claims that it struck."""
    busy = _span("busy", "store.locked", MetBy.UNTOLD, "store")

    found = judged(*busy, faults=BUSY)
    assert (found.outcome, found.samples) == (Outcome.PASS, 1)
    assert found.summary == "busy (store.locked) was injected (what met it leaves no trace)"
    both = judged(*write.fault("crash", 1.0, 2.0), *busy, faults=[FAULTS[0], *BUSY])
    assert both.summary == (
        "1 fault of the plan struck; busy (store.locked) was injected (what met it leaves no trace)"
    )
