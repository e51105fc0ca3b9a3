"""Places in a text always lie inside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.positions import Position, Positions, Source, Spot
from harness.scenario.problems import Problem


@given(st.text(alphabet="ab\r\n\t\x85\u2028é", max_size=30), st.integers(-3, 40), st.integers(-3, 40))
def test_places_are_clamped(text: str, line: int, column: int) -> None:
    """Whatever a parser says, the place that is shown exists, and can be shown."""
    source = Source("a", text)
    place = source.position(line, column)
    assert 1 <= place.line <= len(source.lines)
    assert 1 <= place.column <= len(source.lines[place.line - 1]) + 1
    assert str(Problem(place, "wrong")).startswith(f"a:{place.line}:{place.column}: wrong\n")


def test_offsets() -> None:
    """The place of a character counts lines as YAML 1.2 does."""
    source = Source("a", "ab\r\ncd\re\u2028f")
    place = source.at_offset(8)
    assert (place.line, place.column, source.lines) == (3, 2, ("ab", "cd", "e\u2028f"))


def test_nearest() -> None:
    """A path that is not there is shown at what lies around it."""
    source = Source("a", "a: {b: 1}")
    root, inner = Spot(Position(source, 1, 1)), Spot(Position(source, 1, 8), Position(source, 1, 5))
    positions = Positions({(): root, ("a", "b"): inner})
    assert positions.value(("a", "b", 3)).column == 8
    assert positions.key(("a", "b")).column == 5
    assert positions.key(("x",)).column == 1
