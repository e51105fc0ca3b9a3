"""Tests of phases, fault windows and lives of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.history.history import History
from harness.history.records import (
    AnyRecord,
    Edge,
    Fault,
    FaultEvent,
    Header,
    Phase,
    PhaseName,
    Process,
    ProcessEvent,
    Status,
    Step,
)
from harness.report.windows import fault_windows, fewer, lives, phase_windows, time_range

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def _history(*records: AnyRecord) -> History:
    return History(Header(), records)


def _fault(at: float, event: FaultEvent, ident: str = "crash", place: str = "h1") -> Fault:
    return Fault(at=at, id=ident, kind="process.kill", event=event, place=place, detail={event.value: at})


def test_injection_and_heal_make_a_window() -> None:
    """A window reaches from injection to heal and keeps the details of both."""
    found = fault_windows(
        _history(_fault(0, FaultEvent.ARMED), _fault(5, FaultEvent.INJECTED), _fault(9, FaultEvent.HEALED))
    )

    assert len(found) == 1
    assert (found[0].begin, found[0].end, found[0].armed) == (5, 9, 0)
    assert found[0].detail == {"injected": 5, "healed": 9}


def test_places_of_one_fault_do_not_mix() -> None:
    """Two handlers killed at once are two windows, each with its own heal."""
    found = fault_windows(
        _history(
            _fault(5, FaultEvent.INJECTED, place="h1"),
            _fault(5, FaultEvent.INJECTED, place="h2"),
            _fault(7, FaultEvent.HEALED, place="h2"),
            _fault(8, FaultEvent.HEALED, place="h1"),
        )
    )

    assert [(w.place, w.begin, w.end) for w in found] == [("h1", 5, 8), ("h2", 5, 7)]


def test_what_never_healed_has_no_end() -> None:
    """A run that broke off leaves the window open."""
    found = fault_windows(_history(_fault(5, FaultEvent.INJECTED)))

    assert [(w.end, w.outcome, w.acted) for w in found] == [(None, FaultEvent.INJECTED, True)]


def test_a_heal_that_failed_is_told_as_failed() -> None:
    """A window ended by `failed` did not heal, and is not counted among those that acted and healed."""
    found = fault_windows(_history(_fault(5, FaultEvent.INJECTED), _fault(6, FaultEvent.FAILED)))

    assert [(w.begin, w.end, w.outcome) for w in found] == [(5, 6, FaultEvent.FAILED)]


def test_armed_skipped_and_failed_did_not_act() -> None:
    """What was never injected is listed, but did nothing."""
    found = fault_windows(
        _history(
            _fault(0, FaultEvent.ARMED, "a"),
            _fault(1, FaultEvent.SKIPPED, "b"),
            _fault(2, FaultEvent.FAILED, "c"),
        )
    )

    assert [(w.id, w.outcome, w.acted) for w in found] == [
        ("a", FaultEvent.ARMED, False),
        ("b", FaultEvent.SKIPPED, False),
        ("c", FaultEvent.FAILED, False),
    ]


def test_a_heal_alone_is_no_window() -> None:
    """The heal of what was never injected draws nothing."""
    assert fault_windows(_history(_fault(5, FaultEvent.HEALED))) == ()


def test_close_windows_of_one_fault_are_joined_for_drawing() -> None:
    """Neighbours nearer than the gap become one, of other faults none."""
    marks = [(1, 2, "a"), (2.5, 3, "a"), (9, 10, "a"), (2, 4, "b")]
    records = [
        r for b, e, i in marks for r in (_fault(b, FaultEvent.INJECTED, i), _fault(e, FaultEvent.HEALED, i))
    ]

    found = fewer(fault_windows(_history(*records)), gap=1.0)

    assert [(w.id, w.begin, w.end) for w in found] == [("a", 1, 3), ("b", 2, 4), ("a", 9, 10)]


def test_phases_that_were_cut_end_with_the_history() -> None:
    """A phase without an end lasts until the last record and is marked as cut short."""
    found = phase_windows(
        _history(
            Phase(at=-2, name=PhaseName.SETUP, edge=Edge.BEGIN),
            Phase(at=0, name=PhaseName.SETUP, edge=Edge.END),
            Phase(at=0, name=PhaseName.RUN, edge=Edge.BEGIN),
            _fault(7, FaultEvent.ARMED),
        )
    )

    assert [(w.name, w.begin, w.end, w.cut) for w in found] == [
        (PhaseName.SETUP, -2, 0, False),
        (PhaseName.RUN, 0, 7, True),
    ]


def test_a_restarted_process_has_two_lives() -> None:
    """Lives are told apart by pid, and keep how the first one ended."""

    def record(at: float, pid: int, event: ProcessEvent, code: int | None = None) -> Process:
        return Process(at=at, name="h1", pid=pid, event=event, code=code)

    found = lives(
        _history(
            record(0, 1, ProcessEvent.STARTED),
            record(1, 1, ProcessEvent.READY),
            record(5, 1, ProcessEvent.EXITED, -9),
            record(6, 2, ProcessEvent.STARTED),
        )
    )

    assert [(x.pid, x.begin, x.ready, x.end, x.code) for x in found] == [
        (1, 0, 1, 5, -9),
        (2, 6, None, None, None),
    ]


def test_who_is_stopped_has_not_died() -> None:
    """An end without a code is no death in the teardown or in a step that stops; a known code always counts."""

    def exited(at: float, pid: int, code: int | None = None) -> Process:
        return Process(at=at, name="h1", pid=pid, event=ProcessEvent.EXITED, code=code)

    def step(name: str, start: float, end: float) -> Step:
        return Step(at=end, cycle=1, step=name, start=start, end=end, status=Status.OK)

    found = lives(
        _history(
            exited(1, 1),
            step("stop", 2, 3),
            exited(2.5, 2),
            step("crash h1", 4, 5),
            exited(4.5, 3),
            Phase(at=8, name=PhaseName.TEARDOWN, edge=Edge.BEGIN),
            exited(9, 4),
            exited(9, 5, -9),
            exited(9, 6, 0),
            Phase(at=10, name=PhaseName.TEARDOWN, edge=Edge.END),
        )
    )

    assert [life.pid for life in found if life.died] == [1, 3, 5]


def test_the_time_range_holds_all_records(chaos_run: Run, empty_run: Run) -> None:
    """A report draws from the first record to the last; a second where there is none."""
    assert time_range(chaos_run.history) == (-3.2, 124.6)
    assert time_range(empty_run.history) == (0.0, 1.0)
