"""Executions laid out for drawing: one lane a process, rows within a lane where executions overlap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.history.records import Execution
from harness.report.windows import FaultWindow, Life, lives

if TYPE_CHECKING:
    from harness.history.history import History

ROWS = 4
"""More executions than this at once on one handler share the last row."""
LANES = 60
"""More lanes than this are not drawn."""
_FIRST = {"governor": 0, "scheduler": 1}


@dataclass(frozen=True)
class Bar:
    """One execution, or several that cannot be told apart at the scale of the drawing; times in seconds.

    ``look`` is ``ok``, ``error``, ``silent`` or ``unfinished``.
    """

    begin: float
    end: float
    row: int
    look: str


@dataclass
class Lane:
    """One process or handler. ``rows`` is how many executions ran at once at most (no more than `ROWS`)."""

    name: str
    bars: list[Bar] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    faults: list[FaultWindow] = field(default_factory=list)
    rows: int = 1

    @property
    def unfinished(self) -> int:
        """How many executions never ended."""
        return sum(bar.look == "unfinished" for bar in self.bars)


def lanes(history: History, windows: Sequence[FaultWindow], end: float) -> list[Lane]:
    """All lanes: governor, scheduler, then the handlers in natural order.

    `end` is where unfinished bars stop.
    """
    found: dict[str, Lane] = {}
    for life in lives(history):
        found.setdefault(life.name, Lane(life.name)).lives.append(life)
    by_handler: dict[str, list[Execution]] = {}
    for execution in history.of(Execution):
        by_handler.setdefault(execution.handler, []).append(execution)
    for name, executions in by_handler.items():
        lane = found.setdefault(name, Lane(name))
        lane.bars, lane.rows = _packed(executions, lane.lives, end)
    for window in windows:
        if window.acted:
            for name in touched(window.place, found):
                found[name].faults.append(window)
    return sorted(found.values(), key=lambda lane: (_FIRST.get(lane.name, 2), natural(lane.name)))


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key that puts ``h2`` before ``h10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def touched(place: str, names: Sequence[str] | dict[str, Lane]) -> list[str]:
    """The lanes that a fault's place names: ``h2``, ``scheduler.req`` and ``h2 -> scheduler`` alike.

    >>> touched("h2 -> scheduler", ["h1", "h2", "scheduler"])
    ['h2', 'scheduler']
    """
    words = {word.split(".")[0] for word in re.split(r"\s*(?:<->|->|,|\s)\s*", place) if word}
    return [name for name in names if name in words or name == place]


def _packed(executions: Sequence[Execution], processes: Sequence[Life], end: float) -> tuple[list[Bar], int]:
    free: list[float] = []
    bars: list[Bar] = []
    for execution in sorted(executions, key=lambda e: (e.start, e.request_id)):
        finish = execution.end if execution.end is not None else _death(execution, processes, end)
        row = next((n for n, until in enumerate(free) if until <= execution.start), len(free))
        if row == len(free):
            free.append(finish)
        else:
            free[row] = finish
        look = execution.outcome or "ok"
        if execution.end is None:
            look = "silent" if execution.outcome == "silent" else "unfinished"
        bars.append(Bar(execution.start, max(finish, execution.start), min(row, ROWS - 1), look))
    return bars, max(1, min(ROWS, len(free)))


def _death(execution: Execution, processes: Sequence[Life], end: float) -> float:
    """When an unfinished execution can have run at the latest: until its process died.

    Else until the end of the run.
    """
    ends = [
        p.end
        for p in processes
        if p.end is not None and p.end >= execution.start and execution.pid in (0, p.pid)
    ]
    return min([end, *ends])


def merged(bars: Sequence[Bar], begin: float, end: float, *, columns: int) -> list[Bar]:
    """`bars` of one lane with neighbours of one row and look joined where their gap is below one column.

    Bars` of one lane with neighbours of one row and look joined where the gap is less than one of `columns`.
    """
    width = (end - begin) / columns
    last: dict[tuple[int, str], Bar] = {}
    done: list[Bar] = []
    for bar in sorted(bars, key=lambda b: b.begin):
        key = (bar.row, bar.look)
        before = last.get(key)
        if before is not None and bar.begin - before.end < width:
            last[key] = Bar(before.begin, max(before.end, bar.end), bar.row, bar.look)
            continue
        if before is not None:
            done.append(before)
        last[key] = bar
    return [*done, *last.values()]
