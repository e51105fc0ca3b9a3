"""Faults beside what happened under them."""

from __future__ import annotations

from typing import Any

from harness.checks.around import Surroundings
from harness.history.history import History
from harness.history.records import Fault, FaultEvent, Header


def around(*records: Any) -> Surroundings:
    """The surroundings of a history of these records and lists of records."""
    return Surroundings(
        History(Header(), [r for item in records for r in (item if isinstance(item, list) else [item])])
    )


def test_only_faults_that_overlap_are_mentioned(write: Any) -> None:
    """From injection to heal, both included; a fault that was only armed is not at work."""
    armed = Fault(at=1.0, id="armed", kind="zmq.state", event=FaultEvent.ARMED)
    seen = around(write.fault("crash", 10.0, 20.0), armed)

    assert seen.during(1.0, 9.9) == ""
    assert seen.during(20.1, 30.0) == ""
    for begin, end in ((1.0, 10.0), (12.0, 13.0), (20.0, 30.0), (5.0, 40.0)):
        assert seen.during(begin, end) == "; meanwhile: crash (process.kill at h2) from 10.000 s to 20.000 s"


def test_faults_at_the_place_come_first_and_three_are_named(write: Any) -> None:
    """Of five faults those that touch the place and lie nearest in time are told."""
    faults = [write.fault(f"f{n}", float(n), 50.0, place="h1") for n in range(4)]
    seen = around(*faults, write.fault("here", 30.0, place="scheduler <-> h2"))

    text = seen.during(3.0, 40.0, ("h2",))

    assert text == (
        "; meanwhile: here (process.kill at scheduler <-> h2) from 30.000 s and never healed, "
        "f3 (process.kill at h1) from 3.000 s to 50.000 s, "
        "f2 (process.kill at h1) from 2.000 s to 50.000 s and 2 more"
    )


def test_a_fault_that_strikes_again_has_a_span_for_each_time(write: Any) -> None:
    """Also where it strikes again at the very instant of its heal, whatever the order of the records."""
    first, second = write.fault("f", 1.0, 2.0), write.fault("f", 2.0, 3.0)

    spans = [(1.0, 2.0), (2.0, 3.0)]
    assert [(s.begin, s.end) for s in around(first, second).spans] == spans
    assert [(s.begin, s.end) for s in around(second, first).spans] == spans


def test_what_the_harness_could_not_see_is_told(write: Any) -> None:
    """Only failures of the steps that were asked for."""
    seen = around(write.event(70, "teardown-problem", "stop", error="x"))

    assert seen.unseen("collect") == ""
    assert seen.unseen("collect", "stop") == "the harness failed to stop: x"


def test_faults_at_other_handlers_explain_nothing_about_this_one(write: Any) -> None:
    """Of three faults at once only the one at the handler itself and the one at no handler are named: h1 is not h10."""
    found = around(
        write.fault("near", 1.0, 2.0, place="h1"),
        write.fault("far", 1.0, 2.0, place="h10"),
        write.fault("disk", 1.0, 2.0, place="store"),
        [write.run("j1", 1.0, handler="h1"), write.run("j2", 1.0, handler="h10")],
    ).during(0.5, 3.0, ("h1",))

    assert "near" in found
    assert "disk" in found
    assert "far" not in found


def test_whether_a_fault_struck_one_of_some_places_is_told(write: Any) -> None:
    """A part of a place counts as the place; other places and other times do not."""
    seen = around(write.fault("efsm", 2.0, 3.0, place="scheduler.req"), write.fault("hang", 5.0, 6.0, place="h1"))

    assert seen.struck(2.5, 9.0, ("scheduler",))
    assert not seen.struck(3.5, 9.0, ("scheduler",))
    assert not seen.struck(0.0, 9.0, ("store", "h10"))


def test_a_strike_that_took_no_time_is_over(write: Any) -> None:
    """A single strike is injected and healed at one instant, in whatever order the two stand in the history."""
    injected, healed = write.fault("f", 2.0, 2.0)

    for records in ([injected, healed], [healed, injected]):
        assert [(s.begin, s.end) for s in around(records).spans] == [(2.0, 2.0)]
