"""The small notations: what each reads, writes and refuses."""



from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.misfit import Misfit
from harness.scenario.values import (
    Comparison,
    Count,
    FakerRef,
    Rate,
    Span,
    Unit,
    format_duration,
    format_odds,
    format_rate,
    parse_duration,
    restore_fakers,
)

SECONDS = st.floats(min_value=0, max_value=1e9, allow_nan=False, allow_subnormal=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("2s", 2.0), ("1.5min", 90.0), ("2m", 120.0), ("1h", 3600.0), ("1d", 86400.0), ("10us", 1e-5),
     ("-90s", -90.0), (" 3 s ", 3.0), ("0.1ms", 0.0001)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """Each unit is read as exactly the seconds it stands for."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1:30", "5 parsecs", "1e3s", "٣s", "--1s", "1s2s", "9" * 400 + "s"]
)
def test_no_durations(text: str) -> None:
    """What has no unit, or one that nobody knows, is refused."""
    with pytest.raises(ValueError):
        parse_duration(text)


def test_duration_hints() -> None:
    """The two commonest mistakes are told how to be written."""
    with pytest.raises(Misfit, match="write 5s for seconds"):
        parse_duration("5")
    with pytest.raises(Misfit, match="write 90s, not 1:30"):
        parse_duration("1:30")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (90, "90s"),
        (120, "2min"),
        (3600, "1h"),
        (1e-5, "0.01ms"),
        (-90, "-90s"),
        (1.5, "1.5s"),
    ],
)
def test_durations_written(seconds: float, text: str) -> None:
    """A duration is written as a person would."""
    assert format_duration(seconds) == text


@given(SECONDS)
def test_durations_survive(seconds: float) -> None:
    """Every duration that is written is read back as the same float."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(min_value=0, max_value=1, allow_subnormal=False))
def test_odds_survive(odds: float) -> None:
    """Odds written as per cent are read back as the same float."""
    assert Comparison.parse(f"ratio < {format_odds(odds)}").bound == odds


@given(st.floats(min_value=1e-9, max_value=1e9), st.floats(min_value=1e-9, max_value=1e9))
def test_rates_survive(start: float, end: float) -> None:
    """Rates and ramps are read back as the same floats."""
    assert Rate.parse(str(Rate(start, end))) == Rate(start, end)


def test_rates_written_by_the_minute() -> None:
    """A rate that is whole by the minute is not written as an endless fraction."""
    assert (format_rate(20 / 60), format_rate(20.0)) == ("20/min", "20/s")


@pytest.mark.parametrize("text", ["20", "/s", "20/s -> ", "1/s -> 2/s -> 3/s", "0/s", "-1/s", "20/d"])
def test_no_rates(text: str) -> None:
    """A rate says arrivals a time, more than none."""
    with pytest.raises(Misfit, match="not a rate"):
        Rate.parse(text)


@given(SECONDS, SECONDS)
def test_spans_survive(one: float, other: float) -> None:
    """Ranges of durations are read back as the same floats."""
    span = Span(min(one, other), max(one, other))
    assert Span.parse(str(span)) == span


@pytest.mark.parametrize("text", ["1s..", "..1s", "2s..1s", "1s...2s", "-2s..-1s", "1..2s"])
def test_no_spans(text: str) -> None:
    """A range has two ends in their order, and is never negative."""
    with pytest.raises(Misfit):
        Span.parse(text)


def test_counts() -> None:
    """A count is a number or a range of them."""
    assert (Count.parse("3"), Count.parse("0..5"), str(Count(0, 5)), str(Count(3, 3))) == (
        Count(3, 3), Count(0, 5), "0..5", "3"
    )  # fmt: skip
    for text in ("5..0", "-1", "a", "1..", "9" * 20):
        with pytest.raises(Misfit):
            Count.parse(text)


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("p99 < 400ms", Comparison("p99", "<", 0.4, Unit.SECONDS)),
        ("p99.9<=1s", Comparison("p99.9", "<=", 1.0, Unit.SECONDS)),
        ("ratio < 0.1%", Comparison("ratio", "<", 0.001, Unit.RATIO)),
        ("rate > 20/s", Comparison("rate", ">", 20.0, Unit.NUMBER)),
        (">= 3", Comparison("value", ">=", 3.0, Unit.NUMBER)),
        ("5", Comparison("value", "==", 5.0, Unit.NUMBER)),
        ("== -2.5", Comparison("value", "==", -2.5, Unit.NUMBER)),
    ],
)
def test_comparisons(text: str, comparison: Comparison) -> None:
    """Subject, operator and bound are read, and written again so that they are read the same."""
    assert Comparison.parse(text) == comparison
    assert Comparison.parse(str(comparison)) == comparison


@pytest.mark.parametrize(
    "text", ["p99 400ms", "p99 <> 3", "< ", "p99 < 4 parsecs", "p99 < 1.2.3", "a b < 3", ""]
)
def test_no_comparisons(text: str) -> None:
    """What cannot be compared is refused."""
    with pytest.raises(Misfit):
        Comparison.parse(text)


@pytest.mark.parametrize(
    ("operator", "holds"), [("<", (True, False, False)), ("<=", (True, True, False)), ("==", (False, True, False)),
                            (">=", (False, True, True)), (">", (False, False, True))],
)  # fmt: skip
def test_comparisons_hold(operator: str, holds: tuple[bool, bool, bool]) -> None:
    """Each operator holds below, at and above the bound as its sign says."""
    comparison = Comparison("value", operator, 3.0, Unit.NUMBER)
    assert tuple(comparison.holds(value) for value in (2.9, 3.0, 3.1)) == holds


def test_fakers_come_back_from_json() -> None:
    """A reference in JSON form becomes a reference again, however deep it lies."""
    plain = {"a": [{"b": {"$faker": "pyint", "args": [1, 5]}}], "c": {"$faker": "iban"}}
    assert restore_fakers(plain) == {"a": [{"b": FakerRef("pyint", (1, 5))}], "c": FakerRef("iban")}
