"""What is wrong with a scenario file, shown beside the line it concerns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.errors import ScenarioError
from harness.scenario.misfit import UNSET, Misfit, Path
from harness.scenario.positions import Position, dotted
from harness.scenario.values import FakerRef

_WIDTH = 140
_MANY = 12
_SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. ``expected``, ``found`` and ``hint`` are empty where there is nothing to say."""

    position: Position
    message: str
    path: Path = ()
    expected: str = ""
    found: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.position}: {dotted(self.path)}: " if self.path else f"{self.position}: "
        aside = "   ".join(
            part
            for part in (_labelled("expected", self.expected), _labelled("found", self.found), self.hint)
            if part
        )
        return "\n".join([where + self.message, *_excerpt(self.position), *([f"    {aside}"] if aside else [])])


class ScenarioProblems(ScenarioError):
    """A scenario file is wrong; ``problems`` holds everything that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = {(p.position.source.name, p.position.line, p.position.column, p.message): p for p in problems}
        self.problems = tuple(unique[key] for key in sorted(unique, key=lambda k: k[1:]))
        blocks = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            blocks.append(f"… and {len(self.problems) - _SHOWN} more problems")
        super().__init__("\n".join(blocks))


def misfit_problem(misfit: Misfit, position: Position, path: Path = ()) -> Problem:
    """A `Misfit` with the place it was found at."""
    found = "" if misfit.found is UNSET else shown(misfit.found)
    return Problem(position, misfit.message, path, misfit.expected, found, misfit.hint)


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A guess at which of the `known` words was meant; empty when none is near.

    >>> did_you_mean("process.kil", ["process.kill", "process.pause"])
    "did you mean 'process.kill'?"
    """
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(word: Any, known: Iterable[str]) -> str:
    """The one of the `known` words that is nearest to `word`; empty when none is near."""
    words = sorted(known)
    near = difflib.get_close_matches(str(word)[:80], words, 1, 0.6)
    if not near:
        near = [w for w in words if w.lower() == str(word).lower().replace("_", "-").replace(" ", "-")]
    return near[0] if near else ""


def one_of(known: Iterable[str]) -> str:
    """``one of a, b, c``; a long list is cut.

    >>> one_of(["b", "a"]), one_of([])
    ('one of a, b', 'nothing: there is none')
    """
    words = sorted(known)
    if len(words) < 2:
        return words[0] if words else "nothing: there is none"
    listed = ", ".join(words[:_MANY])
    return f"one of {listed}, … ({len(words)} in all)" if len(words) > _MANY else f"one of {listed}"


def shown(value: Any) -> str:
    """`value` as an error shows it: short, and in words where its Python form would not help."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, FakerRef):
        return f"!faker {value.provider}"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…{text[-1]}"


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if text else ""


def _excerpt(position: Position) -> list[str]:
    """The line with a caret under the place; of a long line, the part around it."""
    text = position.source.lines[position.line - 1]
    start = max(0, position.column - 1 - _WIDTH // 2) if len(text) > _WIDTH else 0
    part = "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in text[start : start + _WIDTH])
    margin = f"{position.line:>6} | "
    return [margin + part, " " * (len(margin) - 2) + "| " + " " * (position.column - 1 - start) + "^"]
