"""Rows of one shape, printed as a table for people or as JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.report.jsonout import dumps

if TYPE_CHECKING:
    from pydantic import BaseModel

Row = Mapping[str, Any]
"""A cell is text, a list of texts, or a list of arguments as `arguments_of` gives them."""


def print_table(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows of one shape: as a table on a terminal, as aligned text elsewhere, or as JSON."""
    if as_json:
        click.echo(dumps(list(rows)))
        return
    if not rows or sys.stdout is None:
        return
    from rich.console import Console
    from rich.table import Table

    wide = None if sys.stdout.isatty() else 200
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(width=wide, highlight=False).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(item if isinstance(item, str) else _argument(item) for item in value)


def _argument(argument: Row) -> str:
    """Its name, and its default unless it has none."""
    name, default = str(argument["name"]), argument["default"]
    return name if default is None else f"{name}={default if isinstance(default, str) else json.dumps(default)}"


def arguments_of(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    """The arguments of a fault or check by the names that files use, each with its default and its JSON Schema.

    ``default`` is None for one that is required or has none.
    """
    if model is None:
        return []
    whole = model.model_json_schema(by_alias=True)
    required, definitions = whole.get("required", []), whole.get("$defs", {})
    return [
        {
            "name": name,
            "required": name in required,
            "default": part.get("default"),
            "schema": _alone(part, definitions),
        }
        for name, part in whole.get("properties", {}).items()
    ]


def _alone(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one value, with what it refers to: it can be read without the schema around it."""
    kept = {key: value for key, value in part.items() if key not in ("default", "title")}
    return {**kept, "$defs": dict(definitions)} if "$ref" in json.dumps(kept) else kept
