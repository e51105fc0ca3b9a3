"""A document between its text and its data: values that know where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.scenario.misfit import Misfit, Path
from harness.scenario.positions import Position, Positions, Spot

MAX_DEPTH = 40
"""How deep lists and mappings may lie within each other; the language itself needs nine."""
MAX_VALUES = 50_000
"""How many values a document may hold once its anchors are expanded; a file of 5,000 steps has half of that."""


@dataclass
class Node:
    """One value: a scalar (anything but a dict or list of nodes), a list, or a mapping with its keys' places.

    ``bad`` marks a value that was refused already, so that nothing more is said about it.
    """

    position: Position
    value: Any = None
    keys: dict[str, Position] = field(default_factory=dict)
    bad: bool = False


@dataclass(frozen=True)
class Flat:
    """A document as plain data, with the place of everything, and the paths of what was refused already."""

    data: Any
    positions: Positions
    bad: frozenset[Path] = frozenset()


def flatten(root: Node) -> Flat:
    """Plain data of `root`. Raises `TooMuch` when its aliases expand to more than a scenario can need."""
    flattener = _Flattener()
    data = flattener.walk(root, (), None)
    return Flat(data, Positions(flattener.spots), frozenset(flattener.bad))


class TooMuch(Misfit):
    """A document holds more, or lies deeper, than a scenario can need; ``node`` is where that was noticed."""

    def __init__(self, message: str, node: Node, *, expected: str) -> None:
        super().__init__(message, expected=expected, hint="anchors and aliases count each time they are used")
        self.node = node


class _Flattener:
    def __init__(self) -> None:
        self.spots: dict[Path, Spot] = {}
        self.bad: set[Path] = set()

    def walk(self, node: Node, path: Path, key: Position | None) -> Any:
        self.spots[path] = Spot(node.position, key)
        if len(self.spots) > MAX_VALUES:
            raise TooMuch("too many values", node, expected=f"at most {MAX_VALUES:,} in one document")
        if len(path) > MAX_DEPTH:
            raise TooMuch("too deep", node, expected=f"at most {MAX_DEPTH} levels")
        if node.bad:
            self.bad.add(path)
        if isinstance(node.value, dict):
            return {name: self.walk(item, (*path, name), node.keys[name]) for name, item in node.value.items()}
        if isinstance(node.value, list):
            return [self.walk(item, (*path, number), None) for number, item in enumerate(node.value)]
        return node.value
