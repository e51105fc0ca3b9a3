"""``--set a.b.0.c=value``: one value of a scenario replaced from the command line, before it is validated.

A path names keys and list entries, an entry by its number or by its ``id`` (``workload.steady.rate``). A key
that holds dots itself is written as it is (``thresholds.steady.latency``) when it is in the file, else in
double quotes. The value is read as YAML; no value at all (``seeds=``) removes the key.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from harness.scenario.composer import compose
from harness.scenario.fields import holds_list
from harness.scenario.misfit import Misfit, Path
from harness.scenario.model import Scenario
from harness.scenario.nodes import Flat, flatten
from harness.scenario.positions import Position, Source, Spot, dotted
from harness.scenario.problems import ScenarioProblems, did_you_mean, misfit_problem, one_of

_PART = re.compile(r'"([^"]*)"|([^."]+)')
_NAME = "--set"


@dataclass(frozen=True)
class Override:
    """One ``--set``: where, what, and the text it came from. ``value`` None removes the key."""

    source: Source
    parts: tuple[str, ...]
    value: Flat | None
    offset: int

    def apply(self, flat: Flat) -> Flat:
        """`flat` with the value in its place; raises `ScenarioProblems` where the path leads nowhere."""
        data = copy.deepcopy(flat.data)
        path, holder = self._find(data)
        spots = self._spots(path, flat)
        key = path[-1]
        if self.value is None:
            if isinstance(holder, list) or key not in holder:
                raise self._lost("there is nothing to remove", path, ())
            del holder[key]
        else:
            holder[key] = copy.deepcopy(self.value.data)
        bad = {place for place in flat.bad if place[: len(path)] != path}
        bad |= {(*path, *place) for place in (self.value.bad if self.value else ())}
        return Flat(data, flat.positions.with_spots(spots, without=path), frozenset(bad))

    def _find(self, data: Any) -> tuple[Path, Any]:
        """The path in `data`, and what holds its last part; mappings on the way are made."""
        path: Path = ()
        here, left = data, list(self.parts)
        while True:
            if isinstance(here, list):
                part: str | int = self._entry(here, left.pop(0), path)
            elif isinstance(here, dict):
                part = _longest_key(here, left)
            else:
                raise self._lost(
                    f"{dotted(path) or 'the document'} holds nothing by that name", (*path, left[0]), ()
                )
            path = (*path, part)
            if not left:
                return path, here
            if isinstance(here, dict) and here.get(part) is None:
                if holds_list(Scenario, path):
                    raise self._lost(f"there is no {dotted(path)}", path, ())
                here[part] = {}
            here = here[part]

    def _entry(self, entries: list[Any], part: str, path: Path) -> int:
        """The number of the entry that `part` names, by number or by id."""
        if part.isdecimal() and int(part) < len(entries):
            return int(part)
        ids = [entry.get("id") if isinstance(entry, dict) else None for entry in entries]
        if part in ids:
            return ids.index(part)
        known = [str(i) if isinstance(i, str) else str(number) for number, i in enumerate(ids)]
        raise self._lost(f"{dotted(path)} has no entry {part!r}", (*path, part), known)

    def _spots(self, path: Path, flat: Flat) -> dict[Path, Spot]:
        """Where the new values stand: in the text of this ``--set``."""
        begin = self.source.position(1, 1)
        spots = {
            path[:length]: Spot(begin, begin)
            for length in range(1, len(path))
            if not flat.positions.has(path[:length])
        }
        if self.value is not None:
            for inner, spot in self.value.positions.items():
                spots[(*path, *inner)] = Spot(
                    self._shifted(spot.value), self._shifted(spot.key) if spot.key else begin
                )
        return spots

    def _shifted(self, position: Position) -> Position:
        extra = self.offset if position.line == 1 else 0
        return self.source.position(position.line, position.column + extra)

    def _lost(self, message: str, path: Path, known: Any) -> ScenarioProblems:
        words = list(known)
        hint = did_you_mean(path[-1], words)
        misfit = Misfit(message, expected=one_of(words) if words else "", hint=hint)
        return ScenarioProblems([misfit_problem(misfit, self.source.position(1, 1), path)])


def parse_override(text: str) -> Override:
    """Read ``path=value``. Raises `ScenarioProblems` for a text without ``=`` or path, or with a bad value.

    >>> parse_override("workload.steady.rate=5/s").parts
    ('workload', 'steady', 'rate')
    """
    source = Source(_NAME, text)
    where, equals, value = text.partition("=")
    where = where.strip()
    if not equals or not re.fullmatch(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*", where):
        misfit = Misfit("not an override", expected="path=value, such as limits.run=20s", found=text)
        raise ScenarioProblems([misfit_problem(misfit, source.position(1, 1))])
    parts = tuple(quoted or bare for quoted, bare in _PART.findall(where))
    offset = text.index("=") + 1
    return Override(source, parts, _value(value, source, offset), offset)


def _value(text: str, source: Source, offset: int) -> Flat | None:
    if not text.strip():
        return None
    try:
        documents = list(compose(Source(_NAME, text)))
        problems = [problem for _, found in documents for problem in found]
        if len(documents) == 1 and not problems:
            return flatten(documents[0][0])
        misfit = Misfit(
            problems[0].message if problems else "not one value",
            found=text,
            hint=problems[0].hint if problems else "",
        )
    except ScenarioProblems as error:
        misfit = Misfit(error.problems[0].message, found=text)
    except Misfit as error:
        misfit = error
    raise ScenarioProblems([misfit_problem(misfit, source.position(1, offset + 1))])


def _longest_key(mapping: dict[str, Any], left: list[str]) -> str:
    """Take the longest beginning of `left` that is a key here, dots and all; else its first part."""
    for length in range(len(left), 0, -1):
        key = ".".join(left[:length])
        if key in mapping or length == 1:
            del left[:length]
            return key
    raise AssertionError("a path has at least one part")
