"""Tests of buckets, percentiles and tallies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.history.history import History
from harness.history.records import Drop, Header, Operation, Status
from harness.report.series import bucket_width, buckets, fitting_width, nearest_rank, tally, workloads

if TYPE_CHECKING:
    from tests.harness.report.made_up import Run


def _call(intended: float, end: float, status: Status = Status.OK, workload: str = "w") -> Operation:
    return Operation(
        at=end,
        id=0,
        workload=workload,
        op="o",
        place="p",
        intended=intended,
        start=intended,
        end=end,
        status=status,
    )


def test_arrivals_count_where_intended_and_answers_where_they_came() -> None:
    """A call meant for the first second and answered in the third is offered there, answered here."""
    history = History(
        Header(), [_call(0.5, 2.5), _call(1.5, 1.6, Status.FAIL), Drop(at=2, workload="w", intended=1.9)]
    )

    found = buckets(history, 0.0, 3.0, about=3)

    assert [(b.offered, b.ok, b.fail, b.dropped) for b in found] == [
        (1, 0, 0, 0),
        (2, 0, 1, 1),
        (0, 1, 0, 0),
        (0, 0, 0, 0),
    ]
    assert [b.latencies for b in found] == [[2.0], [], [], []]


def test_buckets_lose_no_call(any_run: Run) -> None:
    """Whatever the width, every offered call and every end is in exactly one bucket."""
    total = tally(any_run.history)

    found = buckets(any_run.history, -1.0, 50.0)

    assert sum(b.offered for b in found) == total.offered
    assert sum(b.ok + b.fail + b.info for b in found) == total.calls


@pytest.mark.parametrize(
    ("span", "width"), [(1.0, 0.05), (127.0, 1.0), (720.0, 5.0), (86400.0, 600.0), (10**7, 68400.0)]
)
def test_widths_are_round_and_bounded(span: float, width: float) -> None:
    """The number of buckets does not grow with the run."""
    assert bucket_width(span) == width
    assert span / width <= 150


@pytest.mark.parametrize(
    ("rate", "seconds", "width"), [(20, 2, 0.2), (10, 30, 0.5), (50, 60, 0.5), (1, 20, 5.0), (5, 0.8, 0.2)]
)
def test_a_steady_load_looks_steady(rate: int, seconds: float, width: float) -> None:
    """Buckets hold several arrivals each, so that all are of one height and none is empty."""
    calls = [_call(round(n / rate, 6), n / rate + 0.01) for n in range(int(rate * seconds))]
    history = History(Header(), calls)

    found = buckets(history, 0.0, seconds)

    assert found[0].width == pytest.approx(width)
    full = [b.offered for b in found if b.begin + b.width <= seconds + 1e-9]
    assert set(full) == {round(rate * width)}


def test_rare_calls_leave_something_to_see_over_time() -> None:
    """Three calls in ten seconds are drawn in quarters of them; without calls the width is that of the span."""
    assert fitting_width(History(Header(), [_call(1, 2), _call(5, 6), _call(9, 9.5)]), 10.0) == 2.0
    assert fitting_width(History(Header()), 10.0) == bucket_width(10.0)


def test_percentiles_are_nearest_rank() -> None:
    """p50 of four values is the second, p99 of a hundred the 99th, of nothing it is nothing."""
    assert nearest_rank([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert nearest_rank([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert nearest_rank([7.0], 0.999) == 7.0
    assert nearest_rank([1.0, 2.0], 0.0) == 1.0
    assert nearest_rank([], 0.5) is None


def test_tallies_tell_workloads_apart() -> None:
    """Counts of one workload leave the other's out; order is that of the first arrival."""
    history = History(
        Header(), [_call(2, 3), _call(1, 9, Status.INFO, "late"), Drop(at=0, workload="w", intended=3)]
    )

    assert workloads(history) == ("late", "w")
    assert tally(history, "w") == tally(History(Header(), [_call(2, 3), Drop(at=0, workload="w", intended=3)]))
    assert (tally(history).calls, tally(history).offered, tally(history).info) == (2, 3, 1)
