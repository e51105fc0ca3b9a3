"""Lines of a scenario file around the one that matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Excerpt:
    """Numbered lines; ``line`` is the one meant, counted from 1."""

    line: int
    lines: Sequence[tuple[int, str]]


def excerpt(source: str, line: int, *, around: int = 2) -> Excerpt | None:
    """Line `line` of `source` with `around` lines before and after; None when there is no such line.

    >>> excerpt("a\\nb\\nc\\n", 2, around=1).lines
    [(1, 'a'), (2, 'b'), (3, 'c')]
    """
    every = source.splitlines()
    if not 1 <= line <= len(every):
        return None
    first, last = max(1, line - around), min(len(every), line + around)
    return Excerpt(line, [(n, every[n - 1]) for n in range(first, last + 1)])
