"""Plain scalars: what they mean, and which mean too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.misfit import Misfit
from harness.scenario.scalars import resolve


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_whole_numbers(number: int) -> None:
    """Every number that JSON readers agree on is itself."""
    assert resolve(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers(number: float) -> None:
    """Every finite float, as Python writes it, is itself."""
    assert resolve(repr(number)) == number


@pytest.mark.parametrize(
    "text", ["yes", "on", "off", "y", "1_000", "0b1", "1.2.3", "0x", "1e", "+", "-", ".", "1 2", "null!"]
)
def test_words(text: str) -> None:
    """What is no null, boolean or number of YAML 1.2 is text."""
    assert resolve(text) == text


@pytest.mark.parametrize(
    "text",
    ["1:30", "190:20:30.15", "-1:30", "2001-12-14", "2001-1-1T10:00:00Z", "010", "-0777", ".inf", "-.INF"],
)
def test_ambiguous(text: str) -> None:
    """What two parsers read differently is refused."""
    with pytest.raises(Misfit):
        resolve(text)
