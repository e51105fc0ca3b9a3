"""What two runs returned is compared as far as it can be."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Any

import pytest

from harness.sim.results import result_difference


@dataclasses.dataclass
class Row:
    """Fields, one of which does not count."""

    name: str
    values: list[int]
    seen: int = dataclasses.field(default=0, compare=False)


class Thing:
    """Equal to itself only."""


def loop() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = [1]
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, "a", None, 2.5], [1, "a", None, 2.5]),
        ({"a": {1, 2}}, {"a": {2, 1}}),
        (Row("a", [1], 1), Row("a", [1], 2)),
        ([Thing(), Thing], [Thing(), Thing]),
        ({Thing(): 1}.values(), {Thing(): 1}.values()),
        ({Thing()}, {Thing()}),
        ([float("nan")], [float("nan")]),
        (loop(), loop()),
    ],
)
def test_equal_results(one: object, other: object) -> None:
    """Equal data, and objects that no two runs could share, are no difference."""
    assert result_difference(one, other) is None


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (1, 2, "the result is 1 in one run, 2 in the other"),
        ([1, [2]], [1, [3]], "the result[1][0] is 2 in one run, 3 in the other"),
        ([1], [1, 2], "the result[1] is nothing in one run, 2 in the other"),
        (Row("a", [1]), Row("a", [2]), "the result.values[0] is 1 in one run, 2 in the other"),
        ({"a": 1}, {"a": 2}, "the result['a'] is 1 in one run, 2 in the other"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "the keys of the result[0] is 'a' in one run, 'b' in the other"),
        ({1}, {2}, "the result is {1} in one run, {2} in the other"),
        (deque([1]), deque([2]), "the result is deque([1]) in one run, deque([2]) in the other"),
        (1, 1.0, "the result is 1 in one run, 1.0 in the other"),
    ],
)
def test_different_results(one: object, other: object, told: str) -> None:
    """The place of the first difference is named, with both values."""
    assert result_difference(one, other) == told
