"""Where each value of a document stands in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.scenario.misfit import Path

_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Source:
    """A text that was read: a scenario file, or one ``--set``. ``name`` is what errors call it."""

    name: str
    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends; the line breaks are those of YAML 1.2."""
        return tuple(_BREAK.split(self.text))

    def position(self, line: int, column: int) -> Position:
        """The place nearest to this line and column (from 1) that lies inside the text."""
        line = min(max(line, 1), len(self.lines))
        if line > 1 and line == len(self.lines) and not self.lines[-1]:
            line -= 1  # the end of a file is shown at the end of its last line
            column = len(self.lines[line - 1]) + 1
        return Position(self, line, min(max(column, 1), len(self.lines[line - 1]) + 1))

    def at_offset(self, offset: int) -> Position:
        """The place of the character with this index."""
        before = _BREAK.split(self.text[:offset])
        return self.position(len(before), len(before[-1]) + 1)


@dataclass(frozen=True)
class Position:
    """A place in a source; lines and columns count from 1, columns in characters."""

    source: Source = field(repr=False)
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Spot:
    """Where one value stands, with its key if it has one."""

    value: Position
    key: Position | None = None


class Positions:
    """The place of every value of one document, by its path."""

    def __init__(self, spots: Mapping[Path, Spot]) -> None:
        self._spots = dict(spots)

    def value(self, path: Path) -> Position:
        """Where the value at `path` begins; of a path that is not there, the nearest one around it."""
        return self._nearest(path).value

    def key(self, path: Path) -> Position:
        """Where the key of the value at `path` stands; the value itself if it has none (an entry of a list)."""
        spot = self._nearest(path)
        return spot.key or spot.value

    def has(self, path: Path) -> bool:
        """Whether the document has a value at `path`."""
        return path in self._spots

    def items(self) -> Iterable[tuple[Path, Spot]]:
        """Every path with its place."""
        return self._spots.items()

    def line_of(self, dotted: str) -> int:
        """The line of the value at a path such as ``checks.always.0`` or ``thresholds.steady.latency.0``.

        A path that is not in the text has the line of what lies around it; 0 if nothing does, or if the value
        came from the command line.
        """
        while dotted:
            if dotted in self._dotted:
                return self._dotted[dotted]
            dotted = dotted.rpartition(".")[0]
        return 0

    def with_spots(self, spots: Mapping[Path, Spot], *, without: Path | None = None) -> Positions:
        """These positions, with others added, and without those at and below one path."""
        kept = {p: s for p, s in self._spots.items() if without is None or p[: len(without)] != without}
        return Positions({**kept, **spots})

    @cached_property
    def _dotted(self) -> dict[str, int]:
        own = self._spots[()].value.source.name if () in self._spots else ""
        return {
            dotted(path): spot.value.line if spot.value.source.name == own else 0
            for path, spot in self._spots.items()
            if path
        }

    def _nearest(self, path: Path) -> Spot:
        while path not in self._spots:
            path = path[:-1]
        return self._spots[path]


def dotted(path: Path) -> str:
    """``("faults", 0, "kind")`` as errors write it: ``faults.0.kind``."""
    return ".".join(str(part) for part in path)
