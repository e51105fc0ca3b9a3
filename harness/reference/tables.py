"""Markdown tables, and the tables of pydantic models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.reference.docstrings import attributes, summary
from harness.scenario.values import format_duration

_NOUNS = {
    "250ms": "duration",
    "20/s": "rate",
    "2%": "per cent",
    "1ms..4ms": "duration or range of durations",
    "0..5": "whole number or range",
    "p99 < 400ms": "comparison",
}
"""What a text with this first example is called."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["a"], [["x | y"]]))
    | a |
    |---|
    | x \\| y |
    """
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def keys(model: type[BaseModel], meanings: Mapping[str, str] | None = None) -> str:
    """The keys of a model with type, default and meaning.

    A meaning is the field's own description, the docstring below it, or that of `meanings`.
    """
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    # A model that contains itself is a mere reference to one of its definitions.
    root = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    properties = root.get("properties", {})
    written = {**(meanings or {}), **attributes(model)}
    rows = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        part = properties[key]
        meaning = field.description or written.get(key) or written.get(name, "")
        rows.append([f"`{key}`", type_of(part, definitions), default_of(field, part), meaning])
    return table(["key", "type", "default", "meaning"], rows) if rows else "It takes no arguments."


def functions(named: Mapping[str, Callable[..., Any]]) -> str:
    """The functions called by these names, with their arguments and the defaults of those.

    >>> def nap(seconds: float = 0.5, **more: object) -> None:
    ...     '''Sleep.'''
    >>> print(functions({"nap": nap}).splitlines()[-1])
    | `nap` | `seconds` (`0.5`), any others | Sleep. |
    """
    rows = [[f"`{name}`", _arguments(function), summary(function)] for name, function in named.items()]
    return table(["task", "arguments", "what it does"], rows)


def _arguments(function: Callable[..., Any]) -> str:
    words: list[str] = []
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.VAR_KEYWORD:
            words.append("any others" if words else "any")
        else:
            words.append(f"`{one.name}`" + ("" if one.default is one.empty else f" (`{one.default}`)"))
    return ", ".join(words)


def type_of(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of one value in words, from its JSON Schema."""
    if "$ref" in part:
        return _referred(part["$ref"].rpartition("/")[2], definitions)
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return " or ".join(f"`{word}`" for word in part["enum"])
    if "anyOf" in part:
        kinds = [type_of(kind, definitions) for kind in part["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if part.get("type") == "array":
        return f"list of {type_of(part.get('items', {}), definitions)}"
    if part.get("type") == "object":
        inner = part.get("additionalProperties")
        return f"mapping of {type_of(inner, definitions)}" if isinstance(inner, dict) else "mapping"
    if part.get("type") == "boolean":
        return "`true` or `false`"
    if part.get("type") == "integer":
        return f"whole number{_range(part)}"
    example = next(iter(part.get("examples", [])), "")
    return _NOUNS.get(example, "text" if part.get("type") == "string" else "anything")


def _referred(name: str, definitions: Mapping[str, Any]) -> str:
    target = definitions[name]
    if "properties" not in target:
        return type_of(target, definitions)
    return f"[{name}](#{name.lower()})"


def _range(part: Mapping[str, Any]) -> str:
    low, high = part.get("exclusiveMinimum"), part.get("maximum")
    bounds = [f"above {low}"] if low is not None else []
    bounds += [f"from {part['minimum']}"] if "minimum" in part else []
    bounds += [f"up to {high}"] if high is not None else []
    return f" ({', '.join(bounds)})" if bounds else ""


def default_of(field: FieldInfo, part: Mapping[str, Any]) -> str:
    """The default as a file would write it; a dash where there is none."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=False)
    if value is None or value in ("", (), {}) or isinstance(value, BaseModel):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and part.get("examples"):
        return f"`{format_duration(value)}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(item.value if isinstance(item, Enum) else item) for item in value)}]`"
    return f"`{value}`"
