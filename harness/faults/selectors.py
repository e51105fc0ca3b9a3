"""Which places a fault's ``where`` means, at the moment it is asked.

Names (``h1``, ``scheduler.req``), globs (``h*``), counts of a group (``{handlers: one}``, ``2``, ``30%``,
``minority``, ``all``, or a glob within it), and the same counts over everything a kind accepts (``one``). Draws
come from the stream given; equal places, equal stream: equal choice.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from harness.errors import FaultError, UsageError
from harness.targets.base import Place, PlaceKind

Where = str | Mapping[str, int | str]

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_NAME = re.compile(r"[A-Za-z0-9._\-*?\[\]!@]+")


class NothingSelected(FaultError):
    """The selector is right, but nothing in the target fits it at this moment."""


def select(
    where: Where,
    places: Iterable[Place],
    rng: random.Random,
    *,
    accepts: Sequence[PlaceKind] = tuple(PlaceKind),
) -> list[Place]:
    """The places that `where` means, in the order of their names.

    Only places of the kinds in `accepts` are seen; a name that occurs in several kinds is taken in the first of
    them. Raises `UsageError` when `where` cannot be understood and `NothingSelected` when nothing fits; both
    say what there is.

    >>> places = [Place(PlaceKind.HANDLER, name, group="handlers") for name in ("h1", "h2", "h10")]
    >>> [place.name for place in select("h1*", places, random.Random(1))]
    ['h1', 'h10']
    >>> len(select({"handlers": "minority"}, places, random.Random(1)))
    1
    """
    visible = _visible(places, accepts)
    if isinstance(where, str):
        return _pick(where.strip() or "all", visible, rng, repr(where), visible)
    group, wanted = _single(where)
    members = [place for place in visible if place.group == group]
    label = f"{{{group}: {wanted}}}"
    if not members:
        raise NothingSelected(
            f"{label} selects nothing: there is no group {group!r} here; there is {_listing(visible)}"
        )
    return _pick(str(wanted).strip(), members, rng, label, visible)


def check_where(where: Where) -> None:
    """Raise `UsageError` when `where` cannot mean anything in any target."""
    wanted = where.strip() if isinstance(where, str) else str(_single(where)[1]).strip()
    if "->" in wanted:
        raise UsageError(
            f"where: {wanted!r} is a link between two places; this kind of fault acts on one place, such as "
            f"h1 or h*"
        )
    if wanted and _counted(wanted) is None and not _NAME.fullmatch(wanted):
        raise UsageError(
            f"where: expected a name, a glob, `one`, `2`, `30%`, `minority` or `all`, found {wanted!r}"
        )


def _pick(wanted: str, among: list[Place], rng: random.Random, label: str, visible: list[Place]) -> list[Place]:
    check_where(wanted)
    how_many = _counted(wanted)
    if how_many is None:
        found = [place for place in among if fnmatchcase(place.name, wanted)]
        if not found:
            raise NothingSelected(f"{label} selects nothing; there is {_listing(visible)}")
        return found
    number = how_many(len(among))
    if not 0 < number <= len(among):
        raise NothingSelected(f"{label} asks for {number} of {len(among)} places; there is {_listing(visible)}")
    return sorted(rng.sample(among, number), key=_order)


def _counted(wanted: str) -> Callable[[int], int] | None:
    """How many of n places a counting word means; None when it is a name or a glob."""
    words: dict[str, Callable[[int], int]] = {
        "one": lambda n: 1,
        "all": lambda n: n,
        "minority": lambda n: (n - 1) // 2,  # the most that still leaves more than half untouched
    }
    if wanted in words:
        return words[wanted]
    if wanted.isdecimal():
        return lambda n: int(wanted)
    if match := _PERCENT.fullmatch(wanted):
        share = float(match[1]) / 100
        if not 0 < share <= 1:
            raise UsageError(f"where: a share lies above 0% and is at most 100%, found {wanted!r}")
        return lambda n: min(n, max(1, int(n * share + 0.5)))  # rounded half up, at least one
    return None


def _single(where: Mapping[str, int | str]) -> tuple[str, int | str]:
    if len(where) != 1:
        raise UsageError(f"where: expected one group, such as {{handlers: 2}}, found {dict(where)!r}")
    return next(iter(where.items()))


def _visible(places: Iterable[Place], accepts: Sequence[PlaceKind]) -> list[Place]:
    ranked = sorted((p for p in places if p.kind in accepts), key=lambda p: accepts.index(p.kind))
    first: dict[str, Place] = {}
    for place in ranked:
        first.setdefault(place.name, place)
    return sorted(first.values(), key=_order)


def _order(place: Place) -> list[tuple[int, int, str]]:
    """Names in the order people count: h2 before h10."""
    parts = re.split(r"(\d+)", place.name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _listing(visible: Sequence[Place]) -> str:
    if not visible:
        return "nothing of the kinds that this fault accepts"
    return ", ".join(f"{place.name} ({place.group})" if place.group else place.name for place in visible)
