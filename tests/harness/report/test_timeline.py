"""Tests of the timeline as letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.report.console import plain
from harness.report.timeline import timeline_lines
from harness.scenario.explain import Drawn, Lane, TimelineEntry, timeline
from harness.scenario.loader import load_text

if TYPE_CHECKING:
    from types import ModuleType


def test_bars_lie_where_things_happen() -> None:
    """On an axis of a hundred seconds, what takes the first tenth fills three of thirty letters."""
    entries = [
        TimelineEntry(Lane.PHASE, "run", "at most 100s", 0.0, 100.0),
        TimelineEntry(Lane.LOAD, "jobs", "10/s", 0.0, 10.0),
        TimelineEntry(Lane.FAULT, "crash", "kill h1", 50.0, None),
        TimelineEntry(Lane.FAULT, "efsm", "25th job.sent", None, None),
    ]

    assert plain(timeline_lines("x", entries, width=120)).splitlines() == [
        "x",
        f"     0s … 1:40  {'━' * 30}  run                 at most 100s",
        f"      0s … 10s  {'━' * 3}{'·' * 27}  jobs                10/s",
        f"           50s  {'·' * 15}▸{'·' * 14}  crash               kill h1",
        f"  on its event  {'·' * 30}  efsm                25th job.sent",
    ]


def test_the_axis_is_that_of_the_load() -> None:
    """With the planned length the load fills the axis; what lies before or beyond it has an arrow."""
    entries = [
        TimelineEntry(Lane.PHASE, "setup", "at most 30s", -30.0, 0.0),
        TimelineEntry(Lane.PHASE, "run", "at most 90s", 0.0, 90.0),
        TimelineEntry(Lane.LOAD, "jobs", "10/s", 0.0, 2.0),
        TimelineEntry(Lane.FAULT, "crash", "kill h1", 1.0, 1.2),
    ]

    bars = [
        line[1][0] for line in timeline_lines("x", entries, width=120, length=2.0)[1:]
    ]

    assert bars == ["◂" + "·" * 29, "━" * 29 + "▸", "━" * 30, "·" * 15 + "━" * 3 + "·" * 12]


def test_a_real_scenario_is_told(build: ModuleType) -> None:
    """Every entry of a scenario's timeline has its line, the drawn times of faults among them."""
    scenario = load_text(build.SOURCE)[0].scenario
    entries = timeline(scenario, 90210, [Drawn("crash", 30.0, 38.0)])

    lines = plain(timeline_lines(scenario.name, entries, width=140)).splitlines()

    assert len(lines) == len(entries) + 1
    assert next(line for line in lines if " crash " in line).split()[:3] == ["30s", "…", "38s"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_are_bounded(width: int) -> None:
    """A long description is cut to the terminal, and nothing in it is obeyed."""
    entry = TimelineEntry(Lane.FAULT, "n" * 99, "\x1b[2J" + "w" * 999, 0.0, 1.0)

    lines = plain(timeline_lines("x", [entry], width=width)).splitlines()

    assert len(lines[1]) <= max(width, 100)
    assert "\x1b" not in lines[1]
