"""Tests of scales and their ticks."""

from __future__ import annotations

import pytest

from harness.report.html.scales import Linear, Log, log_around, nice_ticks, tick_label, time_ticks


def test_linear_maps_ends_and_clamps() -> None:
    """The ends of the values lie on the ends of the drawing; what is outside stays on the edge."""
    scale = Linear(10.0, 20.0, 100.0, 0.0)

    assert [scale(v) for v in (10.0, 15.0, 20.0, 30.0, 0.0)] == [100.0, 50.0, 0.0, 0.0, 100.0]


def test_linear_of_one_value_lies_in_the_middle() -> None:
    """A scale without extent does not divide by zero."""
    assert Linear(5.0, 5.0, 0.0, 100.0)(5.0) == 50.0


def test_log_gives_each_decade_the_same_room() -> None:
    """10 ms lies half-way between 1 ms and 100 ms; zero and less lie at the bottom."""
    scale = Log(0.001, 0.1, 200.0, 0.0)

    assert [round(scale(v), 6) for v in (0.001, 0.01, 0.1, 0.0, -1.0)] == [200.0, 100.0, 0.0, 200.0, 200.0]


def test_log_around_ends_on_round_numbers() -> None:
    """The scale ends on round numbers below the least and above the largest value, infinity left out."""
    scale = log_around([0.0, 0.0042, 0.37, float("inf")], 100.0, 0.0)

    assert [scale.low, scale.high] == pytest.approx([0.002, 0.5])


def test_log_around_nothing_is_still_a_scale() -> None:
    """Without any positive value there is a scale all the same."""
    scale = log_around([], 100.0, 0.0)

    assert 0 < scale.low < scale.high


def test_log_ticks_lie_within() -> None:
    """Ticks are powers of ten where there are many, with values between where there are few."""
    assert Log(0.001, 10.0, 1.0, 0.0).ticks(5) == pytest.approx([0.001, 0.01, 0.1, 1.0, 10.0])
    assert Log(0.02, 0.1, 1.0, 0.0).ticks(5) == pytest.approx([0.02, 0.05, 0.1])


def test_nice_ticks_are_multiples_of_one_two_or_five() -> None:
    """Ticks are what a person would write on an axis."""
    assert nice_ticks(0, 100, 4) == [0, 20, 40, 60, 80, 100]
    assert nice_ticks(-3, 3, 6) == [-3, -2, -1, 0, 1, 2, 3]
    assert nice_ticks(7, 7, 4) == [7]


def test_time_ticks_are_those_of_a_clock() -> None:
    """Two minutes are cut by quarter minutes, three hours by halves."""
    assert time_ticks(-3.2, 120.0, 10) == [0, 15, 30, 45, 60, 75, 90, 105, 120]
    assert time_ticks(0.0, 10800.0, 6) == [0, 1800, 3600, 5400, 7200, 9000, 10800]


def test_time_ticks_of_days_do_not_grow_in_number() -> None:
    """A run of a month has a handful of ticks, not thousands."""
    assert len(time_ticks(0.0, 30 * 86400.0, 10)) == 11


@pytest.mark.parametrize(
    ("seconds", "label"), [(-2.0, "−2s"), (0.25, "0.25s"), (59.0, "59s"), (60.0, "1:00"), (3725.0, "1:02:05")]
)
def test_tick_labels_read_like_a_clock(seconds: float, label: str) -> None:
    """Labels have the unit in them, by letter or by colon."""
    assert tick_label(seconds) == label
