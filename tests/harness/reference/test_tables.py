"""Tables of pydantic models in words."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from harness.reference.tables import keys, table
from harness.scenario.values import Length, Odds, Rate, Span


class Inner(BaseModel):
    """A part."""

    deep: bool = False


class Outer(BaseModel):
    """A whole."""

    must: str
    length: Length = Field(default=0.25, alias="for")
    odds: Odds | None = None
    rate: Rate | None = None
    gap: Span = Span(0.0, 2.0)
    count: int = Field(default=3, gt=0, le=9)
    how: Literal["fast", "slow"] = "fast"
    parts: tuple[Inner, ...] = ()
    bounds: dict[str, int] = Field(default={})
    flag: bool = True
    told: str = Field(default="", description="said by the field")
    below: int = 1
    """Said below it."""


@pytest.mark.parametrize(
    "row",
    [
        "| `must` | text | **required** | said elsewhere |",
        "| `for` | duration | `250ms` |  |",
        "| `odds` | per cent | – |  |",
        "| `rate` | rate | – |  |",
        "| `gap` | duration or range of durations | `0s..2s` |  |",
        "| `count` | whole number (above 0, up to 9) | `3` |  |",
        "| `how` | `fast` or `slow` | `fast` |  |",
        "| `parts` | list of [Inner](#inner) | – |  |",
        "| `bounds` | mapping of whole number | – |  |",
        "| `flag` | `true` or `false` | `true` |  |",
        "| `told` | text | – | said by the field |",
        "| `below` | whole number | `1` | Said below it. |",
    ],
)
def test_each_kind_of_key_has_its_words(row: str) -> None:
    """Types, defaults and meanings are written as a scenario file writes them."""
    assert row in keys(Outer, {"must": "said elsewhere"}).splitlines()


def test_a_model_without_keys_says_so() -> None:
    """An empty table would look like an omission."""
    assert keys(type("Empty", (BaseModel,), {})) == "It takes no arguments."


def test_bars_do_not_break_a_table() -> None:
    """A bar within a cell is escaped."""
    assert table(["a", "b"], [["x|y", "z"]]) == "| a | b |\n|---|---|\n| x\\|y | z |"
