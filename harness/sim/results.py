"""Whether two runs gave the same result, as far as values can be compared at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from itertools import zip_longest
from typing import Any

_MISSING: Any = type("_Missing", (), {"__repr__": lambda self: "nothing"})()


def result_difference(one: object, other: object, where: str = "the result") -> str | None:
    """The first place at which two results differ, in a sentence; None when they do not.

    Lists, tuples, mappings and dataclasses are walked. Objects that are equal only to themselves (their class has no
    ``__eq__``) are compared by their class, as are functions: two runs cannot give the same one.

    >>> result_difference({"rows": [1, 2]}, {"rows": [1, 3]})
    "the result['rows'][1] is 2 in one run, 3 in the other"
    """
    return _compare(one, other, where, ())


def _compare(one: Any, other: Any, where: str, inside: tuple[int, ...]) -> str | None:
    if one is other or id(one) in inside:
        return None
    if type(one) is not type(other):
        return _told(where, one, other)
    pairs = _parts(one, other, where)
    if pairs is None:
        return None if _equal(one, other) else _told(where, one, other)
    for place, left, right in pairs:
        found = _compare(left, right, place, (*inside, id(one)))
        if found is not None:
            return found
    return None


def _parts(one: Any, other: Any, where: str) -> list[tuple[str, Any, Any]] | None:
    """What two values of one type consist of, with names; None: they have no parts."""
    if isinstance(one, list | tuple):
        return [
            (f"{where}[{index}]", left, right)
            for index, (left, right) in enumerate(zip_longest(one, other, fillvalue=_MISSING))
        ]
    if isinstance(one, Mapping):
        # The order counts: whoever prints it, or walks it, shows it.
        keys = [(f"the keys of {where}", list(one), list(other))] if list(one) != list(other) else []
        return keys + [(f"{where}[{key!r}]", value, other.get(key, _MISSING)) for key, value in one.items()]
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one) if field.compare]
        return [(f"{where}.{name}", getattr(one, name, None), getattr(other, name, None)) for name in names]
    return None


def _equal(one: Any, other: Any) -> bool:
    if _equals_itself_only(one):
        return True
    if isinstance(one, Set):
        return len(one) == len(other) and (one == other or any(map(_equals_itself_only, one)))
    try:
        return bool(one == other) or (one != one and other != other)
    except Exception:  # noqa: BLE001 - arrays, and whatever else has no one answer
        return True


def _equals_itself_only(value: Any) -> bool:
    method: object = type(value).__eq__
    return method is object.__eq__


def _told(where: str, one: object, other: object) -> str:
    return f"{where} is {repr(one)[:200]} in one run, {repr(other)[:200]} in the other"
