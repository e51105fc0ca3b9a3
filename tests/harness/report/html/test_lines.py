"""Tests of paths through values."""

from __future__ import annotations

from harness.report.html.lines import columns, decimate, envelope, line, steps


def test_none_interrupts_a_line() -> None:
    """A bucket without values leaves a gap, and a point between two gaps is a dot."""
    made = line([(0, 1.0), (1, 2.0), (2, None), (3, 5.0), (4, None)], "p50")

    assert 'd="M0 1L1 2M3 5h.1"' in made


def test_a_line_of_nothing_is_nothing() -> None:
    """No values make no element."""
    assert line([(0, None)], "p50") == ""
    assert steps([], 1.0, "p50") == ""
    assert columns([], "ok") == ""


def test_steps_keep_a_value_until_the_next() -> None:
    """A sampled number holds until it is sampled again, the last one until the end."""
    assert 'd="M0 9H10V4H50"' in steps([(0, 9), (10, 4)], 50, "s0")


def test_columns_leave_out_what_is_empty() -> None:
    """A column of no height is not drawn; a thin one stays visible."""
    assert 'd="M1 2h3v0.5h-3z"' in columns([(1, 2, 3, 0.2), (9, 9, 3, 0.0)], "ok")


def test_the_envelope_keeps_every_spike() -> None:
    """Of ten thousand points in one pixel the least and the largest are drawn, in one stroke."""
    points = [(0.5, 10.0)] * 5000 + [(0.5, 99.0)] + [(0.5, 1.0)] + [(0.5, 20.0)] * 5000

    made = envelope(points, lambda v: v, "dots", pixels=100, units=1000.0)

    assert 'd="M5 1V99"' in made


def test_decimation_keeps_extremes_and_ends() -> None:
    """Thinned points hold the first, the last, and each extreme, in order."""
    points = [(float(n), 0.0) for n in range(10_000)]
    points[4321] = (4321.0, 77.0)

    kept = decimate(points, 400)

    assert len(kept) <= 410
    assert (4321.0, 77.0) in kept
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)
