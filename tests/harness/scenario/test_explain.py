"""The timeline: what will be played, by time."""

from __future__ import annotations

from harness.scenario.explain import Drawn, Lane, TimelineEntry, timeline
from harness.scenario.loader import load_text


def test_chaos(texts: dict[str, str]) -> None:
    """Phases, load and faults stand in the order of their times; what waits for an event comes last."""
    entries = timeline(load_text(texts["chaos"])[0].scenario, 7)
    assert [(entry.lane.value, entry.name, entry.start, entry.end) for entry in entries] == [
        ("phase", "setup", -30.0, 0.0),
        ("phase", "steady", -15.0, 0.0),
        ("phase", "run", 0.0, 40.0),
        ("load", "jobs", 0.0, 30.0),
        ("load", "cron", 0.0, None),
        ("fault", "crash", 5.0, None),
        ("phase", "settle", None, None),
        ("fault", "hang", None, None),
        ("fault", "again", None, None),
    ]
    assert entries[0].what == "set-up of toy with 5 handlers, seed 7"
    assert entries[3].what == "job.submit at 10/s -> 20/s"
    assert entries[5].what == "process.kill at handlers: 2"
    assert entries[7].what == "process.pause at h1 every 4s..6s, for 2s"
    assert entries[8].what == "process.pause at handlers: one after crash.heal, for 1s"


def test_drawn_times_replace_the_rule(texts: dict[str, str]) -> None:
    """A fault whose times were drawn is shown once for each of them."""
    drawn = [Drawn("hang", 4.5, 6.5), Drawn("hang", 12.0, None)]
    entries = timeline(load_text(texts["chaos"])[0].scenario, 7, drawn)
    assert [entry for entry in entries if entry.name == "hang"] == [
        TimelineEntry(Lane.FAULT, "hang", "process.pause at h1", 4.5, 6.5),
        TimelineEntry(Lane.FAULT, "hang", "process.pause at h1", 12.0, None),
    ]


def test_cycles(texts: dict[str, str]) -> None:
    """The steps of a cycle are told in one line."""
    entries = timeline(load_text(texts["cycles"])[0].scenario, 1)
    (cycles,) = [entry for entry in entries if entry.lane is Lane.STEP]
    assert cycles.what == (
        "20 times: start, wait until ready for 10s, job.submit × 0..5, bounce h1, stop by term or kill; "
        "between them 0s..200ms"
    )


def test_regression(texts: dict[str, str]) -> None:
    """Steps of a regression follow each other; after an operation only the run knows the time."""
    entries = timeline(load_text(texts["regression"])[0].scenario, 1)
    steps = [(entry.name, entry.what, entry.start) for entry in entries if entry.lane is Lane.STEP]
    assert steps == [("slow", "schedule.add", 0.0), ("when", "3s pass", None)]
