"""What to do about an unknown key under ``checks``: mostly the name of a check, written where a section belongs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.scenario.check_parts import Checks
from harness.scenario.fields import aliases
from harness.scenario.misfit import Misfit
from harness.scenario.problems import did_you_mean, nearest
from harness.scenario.vocabulary import SECTIONS, Vocabulary


def with_hints(misfits: Iterable[Misfit], top_level: Iterable[str], vocabulary: Vocabulary | None) -> list[Misfit]:
    """The same misfits; those that tell of an unknown key under ``checks`` say where it would belong.

    `top_level` are the keys of a scenario. Without a `vocabulary` names of checks are not known.
    """
    found = list(misfits)
    for misfit in found:
        if misfit.key and len(misfit.at) == 2 and misfit.at[0] == "checks" and misfit.at[1] not in aliases(Checks):
            misfit.hint = hint(misfit.at[1], top_level, vocabulary or Vocabulary())
    return found


def hint(key: Any, top_level: Iterable[str], vocabulary: Vocabulary) -> str:
    """Where something called `key` belongs: as it is written if there is such a thing, else as the nearest name.

    >>> hint("final", [], Vocabulary())
    "did you mean 'finally'?"
    >>> hint("thresholds", ["thresholds"], Vocabulary())
    '`thresholds` stands beside `checks`, not in it'
    """
    others = [name for name in top_level if name != "checks"]
    for name in (str(key), nearest(key, [*aliases(Checks), *others, *vocabulary.checks, *vocabulary.events])):
        if name in aliases(Checks):
            return did_you_mean(key, [name])
        if said := _belongs(name, others, vocabulary):
            return said if name == str(key) else f"did you mean {name!r}? {said}"
    return f"did you mean {near!r}?" if (near := _by_use(str(key))) else ""


def _belongs(name: str, others: list[str], vocabulary: Vocabulary) -> str:
    if name in others:
        return f"`{name}` stands beside `checks`, not in it"
    if name in vocabulary.checks:
        sections = [section for section in SECTIONS if section in vocabulary.checks[name].sections]
        inside = [section for section in sections if section != "then"]
        if not inside:
            return f"it is a check: write `then: [{name}]` beside `checks`"
        return f"it is a check: write it in the list of {_either(inside)}"
    if name in vocabulary.events:
        return f"it is something to be seen: write `sometimes: [{name}]`"
    if name in vocabulary.samples:
        return f"it is a number to expect: write `eventually: [{{within: 20s, expect: {{{name}: 0}}}}]`"
    return ""


def _either(sections: list[str]) -> str:
    return " or ".join(f"`{section}`" for section in sections)


def _by_use(key: str) -> str:
    """The section that other tools call `key`."""
    return {"invariants": "always", "end": "finally", "cover": "sometimes"}.get(key, "")
