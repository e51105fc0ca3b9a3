"""Names that every process has for itself are swapped by value, whatever holds them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from harness.sim.own import OwnNames


class Holder:
    """Holds a value behind a property, as `os.environ` and loggers hold theirs."""

    def __init__(self) -> None:
        self.sets: list[str] = []
        self._value = "ours"

    @property
    def value(self) -> str:
        """What it holds."""
        return self._value

    @value.setter
    def value(self, new: str) -> None:
        self.sets.append(new)
        self._value = new


def test_values_of_modules_and_of_objects_are_swapped() -> None:
    """There and back: each side finds what it left, also what it changed while it was there."""
    module, holder = ModuleType("module"), Holder()
    module.name = "ours"  # type: ignore[attr-defined]
    names = OwnNames()
    assert names.declare(module, "name", lambda: "theirs") == 0
    assert names.declare(holder, "value", lambda: "theirs") == 1
    ours: list[Any] = [None, None]
    theirs = names.new()

    names.swap(ours, theirs)
    assert (module.name, holder.value) == ("theirs", "theirs")
    module.name = "changed"  # type: ignore[attr-defined]
    names.swap(theirs, ours)
    assert (module.name, holder.value) == ("ours", "ours")
    names.swap(ours, theirs)
    assert (module.name, holder.value) == ("changed", "theirs")


def test_what_is_the_same_is_left_alone() -> None:
    """A value that both sides share is not set: setting may cost something."""
    holder, names = Holder(), OwnNames()
    names.declare(holder, "value", lambda: "ours")

    names.swap([None], names.new())

    assert holder.sets == []


def test_a_name_declared_twice_is_swapped_once() -> None:
    """The later factory counts, for the same place in the lists."""
    module, names = ModuleType("module"), OwnNames()
    module.name = module.other = "ours"  # type: ignore[attr-defined]
    names.declare(module, "name", lambda: "first")
    names.declare(module, "other", lambda: "other")

    assert names.declare(module, "name", lambda: "second") == 0
    assert names.new() == ["second", "other"]
