"""Which records are events, and when a trigger comes true."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.faults.triggers import Trigger, event_name, trigger_of
from harness.history.records import Event, Fault, FaultEvent, Operation, Process, ProcessEvent, Sample, Status
from harness.scenario.model import FaultSpec, When


def call(status: Any = Status.OK) -> Any:
    """An operation of the workload ``jobs``."""
    return Operation(at=1.0, id=1, workload="jobs", op="o", place="h1", intended=0.0, start=0.0, end=1.0, status=status)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (Event(at=1.0, name="job.sent"), "job.sent"),
        (call(Status.OK), "jobs.ok"),
        (call(Status.INFO), "jobs.info"),
        (Fault(at=1.0, id="cut", kind="k", event=FaultEvent.HEALED), "cut.heal"),
        (Fault(at=1.0, id="cut", kind="k", event=FaultEvent.INJECTED), ""),
        (Process(at=1.0, name="h1", pid=1, event=ProcessEvent.EXITED), "process.exited"),
        (Sample(at=1.0, name="backlog", value=0.0), ""),
    ],
)
def test_the_names_of_events(record: Any, name: Any) -> None:
    """Each kind of record that can be waited for has one name."""
    assert event_name(record) == name


def fired(when: Any, records: Any, window: Any = (0.0, 100.0), seed: int = 1, own: Any = "") -> Any:
    """At which of `records` the trigger comes true."""
    hits = []
    trigger = Trigger(when, window, random.Random(seed), lambda: hits.append(current), own=own)
    for current in records:
        trigger.see(current)
    return hits


def test_the_nth_time_and_never_again() -> None:
    """``nth`` counts matching events only and comes true once."""
    records = [Event(at=t, name=name) for t, name in ((1.0, "a"), (2.0, "b"), (3.0, "a"), (4.0, "a"))]
    assert [record.at for record in fired(When(event="a", nth=2), records)] == [3.0]


def test_only_within_the_window() -> None:
    """What happens before ``from`` or from ``to`` on is not counted."""
    records = [Event(at=float(t), name="a") for t in range(10)]
    assert [record.at for record in fired(When(event="a", nth=1), records, window=(3.0, 5.0))] == [3.0]
    assert fired(When(event="a", nth=3), records, window=(3.0, 5.0)) == []


def test_odds_are_drawn_from_the_seed() -> None:
    """About a fifth of the events, the same ones for the same seed, others for another."""
    records = [Event(at=float(t), name="a") for t in range(2000)]
    when = When(event="a", odds=0.2)
    hits = fired(when, records, window=(0.0, 5000.0))
    assert 320 < len(hits) < 480
    assert hits == fired(when, records, window=(0.0, 5000.0))
    assert hits != fired(when, records, window=(0.0, 5000.0), seed=2)


def test_after_a_heal() -> None:
    """``after: x.heal`` comes true at every heal of x, a glob at every heal but its own."""
    heals = [
        Fault(at=float(n), id=name, kind="k", event=FaultEvent.HEALED) for n, name in enumerate(("x", "me", "y", "x"))
    ]
    after = FaultSpec(id="me", kind="k", after="x.heal")
    every = FaultSpec(id="me", kind="k", after="*.heal")
    assert [record.at for record in fired(trigger_of(after), heals, own="me")] == [0.0, 3.0]
    assert [record.at for record in fired(trigger_of(every), heals, own="me")] == [0.0, 2.0, 3.0]
