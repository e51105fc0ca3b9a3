"""Percentiles and buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.history.statistics import Percentiles, Summary, bucketed, is_percentile

NAMES = ["p0.1", "p1", "p50", "p90", "p99", "p99.9", "p100"]
DURATIONS = st.floats(min_value=0.0, max_value=3600.0).map(lambda seconds: round(seconds, 6))
OUTSIDE = st.floats(min_value=-100.0, max_value=-0.000001) | st.floats(min_value=3600.000001, max_value=1e6)


def oracle(values: list[float], name: str) -> float:
    """The nearest-rank percentile by its definition: of the sorted list, in whole numbers."""
    hundredths = round(float(name[1:]) * 10)
    rank = -(-hundredths * len(values) // 1000)
    return sorted(values)[max(rank, 1) - 1]


@given(st.lists(DURATIONS | OUTSIDE, min_size=1, max_size=200), st.sampled_from(NAMES))
def test_percentiles_are_those_of_the_sorted_list(values: list[float], name: str) -> None:
    """Within the histogram's three digits, never below the exact one, and exact outside the range."""
    exact = oracle(values, name)

    found = Percentiles(values).percentile(name)

    assert found is not None
    if 0 <= exact <= 3600:
        assert exact - 1e-9 <= found <= exact * 1.001 + 1e-6
    else:
        assert found == exact


@given(st.lists(DURATIONS | OUTSIDE, min_size=1, max_size=50))
def test_bounds_mean_and_count_are_exact(values: list[float]) -> None:
    """Only percentiles are rounded; a value outside the range counts like any other."""
    percentiles = Percentiles(values)

    assert (percentiles.count, percentiles.min, percentiles.max) == (len(values), min(values), max(values))
    assert percentiles.mean == pytest.approx(sum(values) / len(values))
    assert percentiles.outside == sum(1 for value in values if not 0 <= value <= 3600)


def test_the_rank_is_rounded_up() -> None:
    """The 90th percentile of 16 values is the 15th, where rounding to the nearest would take the 14th."""
    values = [float(number) for number in range(1, 17)]

    assert Percentiles(values).percentile("p90") == pytest.approx(15.0, rel=0.001)


def test_what_never_came_is_in_the_tail() -> None:
    """An infinite duration is the maximum, and a percentile as soon as it is frequent enough."""
    percentiles = Percentiles([0.1] * 98 + [math.inf] * 2)

    assert percentiles.percentiles("p98", "p99") == [pytest.approx(0.1, rel=0.001), math.inf]
    assert percentiles.max == math.inf


def test_no_values_have_no_percentiles() -> None:
    """Nothing is made up for an empty series."""
    assert Percentiles().percentile("p99") is None
    assert Percentiles().summary() == Summary(count=0)


def test_a_summary_tells_all_at_once() -> None:
    """The summary of 1 ms .. 1000 ms."""
    summary = Percentiles(number / 1000 for number in range(1, 1001)).summary()

    assert (summary.count, summary.min, summary.max) == (1000, 0.001, 1.0)
    assert summary.mean == pytest.approx(0.5005)
    assert [summary.p50, summary.p90, summary.p99, summary.p999] == pytest.approx(
        [0.5, 0.9, 0.99, 0.999], rel=0.001
    )


def test_nan_is_no_duration() -> None:
    """NaN would sort anywhere, so it is refused."""
    with pytest.raises(ValueError, match="NaN"):
        Percentiles([math.nan])


@pytest.mark.parametrize("name", ["p0", "p101", "p", "99", "p-1", "P50", "p9 9", "max"])
def test_what_is_no_percentile_is_refused(name: str) -> None:
    """Only above 0 and up to 100, written like p99.9."""
    assert not is_percentile(name)
    with pytest.raises(UsageError, match="expected a percentile such as p50"):
        Percentiles([1.0]).percentile(name)


def test_buckets_hold_count_rate_and_bounds_and_the_empty_ones_too() -> None:
    """A stretch in which nothing happened is a bucket with count 0, since a gap is what one looks for."""
    buckets = bucketed([(-0.5, 3.0), (0.0, 5.0), (0.4, 1.0), (1.2, 7.0)], 0.5)

    assert [(b.begin, b.count, b.rate, b.min, b.max) for b in buckets] == [
        (-0.5, 1, 2.0, 3.0, 3.0),
        (0.0, 2, 4.0, 1.0, 5.0),
        (0.5, 0, 0.0, None, None),
        (1.0, 1, 2.0, 7.0, 7.0),
    ]


def test_buckets_need_a_width() -> None:
    """A width of zero is a mistake of the caller; no values are no buckets."""
    assert bucketed([], 1.0) == ()
    with pytest.raises(UsageError, match="above 0 s"):
        bucketed([(0.0, 1.0)], 0.0)
