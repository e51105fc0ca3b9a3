"""Tests of lanes and how executions are packed into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.history.history import History
from harness.history.records import AnyRecord, Execution, Header, Process, ProcessEvent
from harness.report.executions import Bar, lanes, merged, natural, touched

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def _ran(start: float, end: float | None, handler: str = "h1", pid: int = 0, outcome: str = "ok") -> Execution:
    return Execution(
        at=start,
        handler=handler,
        request_id=f"{start}",
        method="m",
        start=start,
        end=end,
        outcome=outcome,
        pid=pid,
    )


def _lanes(*records: AnyRecord, end: float = 100.0) -> list[tuple[str, list[Bar]]]:
    return [(lane.name, lane.bars) for lane in lanes(History(Header(), records), (), end)]


def test_overlapping_executions_lie_in_rows() -> None:
    """What runs at once lies below one another; a row is used again when it is free."""
    [(_, bars)] = _lanes(_ran(0, 5), _ran(1, 2), _ran(3, 4), _ran(6, 7))

    assert [(b.begin, b.row) for b in bars] == [(0, 0), (1, 1), (3, 1), (6, 0)]


def test_an_unfinished_execution_ends_with_its_process() -> None:
    """It is drawn until its own process died, not until another one did."""
    died = [
        Process(at=at, name="h1", pid=pid, event=ProcessEvent.EXITED, code=-9)
        for pid, at in ((1, 8.0), (2, 20.0))
    ]

    [(_, bars)] = _lanes(_ran(5, None, pid=1, outcome=""), _ran(7, None, pid=2, outcome=""), *died)

    assert [(b.begin, b.end, b.look) for b in bars] == [(5, 8, "unfinished"), (7, 20, "unfinished")]


def test_a_silent_handler_is_not_a_dead_one() -> None:
    """An execution that was never answered on purpose looks like that, and ends with the run."""
    [(_, bars)] = _lanes(_ran(5, None, outcome="silent"), end=30.0)

    assert [(b.end, b.look) for b in bars] == [(30.0, "silent")]


def test_lanes_are_in_natural_order(chaos_run: Run) -> None:
    """Governor and scheduler come first, h2 before h10."""
    names = [name for name, _ in _lanes(*(_ran(0, 1, h) for h in ("h10", "h2", "scheduler", "governor")))]

    assert names == ["governor", "scheduler", "h2", "h10"]
    assert natural("h2") < natural("h10")


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("h1", ["h1"]),
        ("scheduler.req", ["scheduler"]),
        ("h1 <-> scheduler", ["h1", "scheduler"]),
        ("h1, h11", ["h1", "h11"]),
        ("store", []),
        ("", []),
    ],
)
def test_a_place_touches_the_lanes_it_names(place: str, found: list[str]) -> None:
    """Whole names only: h1 is not h11."""
    assert touched(place, ["h1", "h11", "scheduler"]) == found


def test_merging_keeps_the_covered_time() -> None:
    """Neighbours nearer than a column become one bar; other rows and looks stay apart."""
    bars = [
        Bar(0, 1, 0, "ok"),
        Bar(1.05, 2, 0, "ok"),
        Bar(1.5, 2, 1, "ok"),
        Bar(2.01, 3, 0, "error"),
        Bar(5, 6, 0, "ok"),
    ]

    found = sorted(merged(bars, 0.0, 10.0, columns=100), key=lambda b: (b.row, b.begin))

    assert found == [Bar(0, 2, 0, "ok"), Bar(2.01, 3, 0, "error"), Bar(5, 6, 0, "ok"), Bar(1.5, 2, 1, "ok")]
