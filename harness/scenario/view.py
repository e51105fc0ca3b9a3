"""Walks plain data of unknown shape: what is not there, or is of another type, yields nothing.

The rules about meaning read the data and not the model, so that a file with a wrong shape in one place is
still told about a wrong name in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.scenario.misfit import Path


@dataclass(frozen=True)
class View:
    """A value and its path in the document."""

    data: Any
    path: Path = ()

    def get(self, *keys: str) -> View:
        """The value under these keys, one within the other; a view on None where there is none."""
        view = self
        for key in keys:
            inner = view.data.get(key) if isinstance(view.data, dict) else None
            view = View(inner, (*view.path, key))
        return view

    def items(self) -> Iterator[View]:
        """The entries of a list."""
        if isinstance(self.data, list):
            for number, item in enumerate(self.data):
                yield View(item, (*self.path, number))

    def entries(self) -> Iterator[tuple[str, View]]:
        """The keys of a mapping with their values."""
        if isinstance(self.data, dict):
            for key, item in self.data.items():
                yield key, View(item, (*self.path, key))

    @property
    def text(self) -> str | None:
        """The value if it is text."""
        return self.data if isinstance(self.data, str) else None

    @property
    def mapping(self) -> dict[str, Any]:
        """The value if it is a mapping, else an empty one."""
        return self.data if isinstance(self.data, dict) else {}

    def one_or_many(self) -> Iterator[View]:
        """The entries of a list; a mapping stands for a list of one."""
        if isinstance(self.data, dict):
            yield self
        yield from self.items()
