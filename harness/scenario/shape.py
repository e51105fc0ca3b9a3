"""Validates plain data against a pydantic model and says what does not fit in the words of a scenario file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.scenario.fields import known_keys
from harness.scenario.misfit import UNSET, Misfit, Path
from harness.scenario.parts import NAME_PATTERN
from harness.scenario.problems import did_you_mean, one_of
from harness.scenario.values import FakerRef

_KINDS = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "string_type": "text",
    "date_type": "a date",
}
_BOUNDS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
}
_PATTERNS = {NAME_PATTERN: "lower-case letters, digits, '.', '_' and '-', such as chaos.handler-kill"}
_HINTS = {"on": "where", "duration": "for", "until": "to", "type": "kind"}
"""Keys that other tools use, where no word of ours is near enough to be guessed, with our words for them."""


T = TypeVar("T", bound=BaseModel)


def validate(
    model: type[T], data: Any, *, fakers: bool = False, from_file: bool = True
) -> tuple[T | None, list[Misfit]]:
    """An instance of `model`, or None with everything that keeps `data` from being one.

    ``at`` of each misfit is its path in `data`. Where `data` comes `from_file`, a bare number for a time is refused; in
    Python those are seconds. With `fakers` a `FakerRef` fits wherever a value is expected, since its value is drawn
    later; then there may be neither an instance nor a misfit.
    """
    try:
        return model.model_validate(data, context={"yaml": from_file}), []
    except ValidationError as error:
        located = [_Located.of(item, data) for item in error.errors(include_url=False)]
    if fakers:
        located = [one for one in located if not isinstance(one.value, FakerRef)]
    located = [one for one in located if one.error["type"] != "too_short" or not _filled(one)]
    return None, [misfit for group in _by_place(located) for misfit in _misfits(group, model)]


def _filled(located: _Located) -> bool:
    """Whether a list that is told to be too short is not: pydantic counts only the items that fit."""
    items, least = located.value, located.error["ctx"]["min_length"]
    return isinstance(items, list | tuple) and len(items) >= int(least)


@dataclass(frozen=True)
class _Located:
    """One of pydantic's errors with its path in the data, which lacks the union members of pydantic's own."""

    error: Mapping[str, Any]
    path: Path
    value: Any
    in_union: bool

    @classmethod
    def of(cls, error: Any, data: Any) -> _Located:
        path: list[str | int] = []
        value, in_union = data, False
        names_key = error["type"] in ("missing", "extra_forbidden")
        for part in error["loc"][:-1] if names_key else error["loc"]:
            if (isinstance(value, dict) and part in value) or (
                isinstance(value, list) and isinstance(part, int) and part < len(value)
            ):
                value = value[part]
                path.append(part)
            else:
                in_union = True
        return cls(error, tuple(path), value, in_union)


def _by_place(located: list[_Located]) -> Iterator[list[_Located]]:
    """Errors at one place together, without those of union members that the data was never meant for."""
    groups: dict[Path, list[_Located]] = {}
    deeper = {one.path[:length] for one in located for length in range(len(one.path))}
    for one in located:
        if not (one.in_union and one.path in deeper):
            groups.setdefault(one.path, []).append(one)
    yield from groups.values()


def _misfits(group: list[_Located], model: type[BaseModel]) -> Iterator[Misfit]:
    """What to say about one place: each missing or unknown key by itself, the rest as one choice."""
    rest = []
    for one in group:
        kind, path = one.error["type"], one.path
        if kind == "missing":
            yield Misfit(f"`{one.error['loc'][-1]}` is missing", at=path)
        elif kind == "extra_forbidden":
            yield unknown_key(one.error["loc"][-1], known_keys(model, one.error["loc"][:-1]), path)
        else:
            rest.append(one)
    if rest:
        yield _choice(rest)


def unknown_key(key: str, known: Iterable[str], path: Path) -> Misfit:
    """What to say about a key that nothing at `path` knows."""
    words = list(known)
    ours = _HINTS.get(str(key), "")
    hint = did_you_mean(key, words) or (f"write `{ours}`" if ours in words else "")
    return Misfit(f"unknown key {key!r}", expected=one_of(words), hint=hint, at=(*path, key), key=True)


def _choice(group: list[_Located]) -> Misfit:
    """One misfit for all errors at one place: what would each have accepted?"""
    own = [one for one in group if isinstance(one.error.get("ctx", {}).get("error"), ValueError)]
    first = own[0] if own else group[0]
    if isinstance(cause := first.error.get("ctx", {}).get("error"), ValueError):
        if not isinstance(cause, Misfit):
            return Misfit(str(cause), found=first.value, at=first.path)
        found = UNSET if cause.found is UNSET and isinstance(first.value, dict) else cause.found
        found = first.value if found is UNSET and not isinstance(first.value, dict | list) else found
        return Misfit(
            cause.message,
            expected=cause.expected,
            found=found,
            hint=cause.hint,
            at=(*first.path, *cause.at),
            key=cause.key,
        )
    return _type_misfit(group, first)


def _type_misfit(group: list[_Located], first: _Located) -> Misfit:
    ctx = first.error.get("ctx", {})
    if first.error["type"] in ("literal_error", "enum"):
        words = re.findall(r"'([^']*)'", str(ctx.get("expected", "")))
        listed = one_of(words) if words else str(ctx.get("expected"))
        name = f"`{first.path[-1]}`" if first.path and isinstance(first.path[-1], str) else "this"
        return Misfit(
            f"{name} has no such value",
            expected=listed,
            found=first.value,
            hint=did_you_mean(first.value, words),
            at=first.path,
        )
    expected = " or ".join(dict.fromkeys(_wanted(one.error) for one in group))
    return Misfit(
        "out of bounds" if first.error["type"] in _BOUNDS else "does not fit",
        expected=expected,
        found=first.value,
        at=first.path,
    )


def _wanted(error: Mapping[str, Any]) -> str:
    kind, ctx = error["type"], error.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(ctx[name])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(ctx["pattern"], f"text that fits {ctx['pattern']}")
    return str(error["msg"])
