"""Names are replaced for a time, found where they were imported by name, and put back for certain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from harness.sim.boundary.patcher import NotRestored, Patcher


def old() -> str:
    """What is replaced."""
    return "old"


def new() -> str:
    """By what."""
    return "new"


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A loaded module with a name in it."""
    made = ModuleType("patched_for_a_test")
    made.bound = old  # type: ignore[attr-defined]
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


class Owner:
    """Has an attribute, and a method that is static."""

    value = 1

    @staticmethod
    def method() -> int:
        """Does nothing with a self."""
        return 1


def test_the_first_value_comes_back_after_many() -> None:
    """However often a name is set, it is restored to what it was before the first time."""
    patcher = Patcher()
    patcher.set(Owner, "value", 2)
    patcher.set(Owner, "value", 3)
    patcher.restore()

    assert Owner.value == 1


def test_descriptors_come_back_as_they_were() -> None:
    """A static method is still one afterwards: what is kept is what the class holds, not what it gives."""
    before = vars(Owner)["method"]
    patcher = Patcher()
    patcher.set(Owner, "method", lambda self: 2)
    patcher.restore()

    assert vars(Owner)["method"] is before


def test_what_was_inherited_is_inherited_again() -> None:
    """A name that the owner did not hold itself is deleted, not filled with its parent's."""

    class Child(Owner):
        pass

    patcher = Patcher()
    patcher.set(Child, "value", 5)
    patcher.restore()

    assert "value" not in vars(Child)


def test_names_bound_before_are_found(module: ModuleType) -> None:
    """``from somewhere import old`` of a loaded module is replaced by `flush`, and is `old` again after `restore`."""
    patcher = Patcher()
    patcher.replace_everywhere(old, new)

    assert module.bound is old
    assert patcher.flush() == 2  # this test's own global, too
    assert module.bound is new
    patcher.restore()
    assert module.bound is old


def test_names_bound_inside_are_put_back(module: ModuleType) -> None:
    """A module that was imported inside the world, and took the replacement with it, gets the original."""
    patcher = Patcher()
    original = old
    patcher.replace_everywhere(original, new)
    patcher.flush()
    module.taken = new  # type: ignore[attr-defined]
    patcher.restore()

    assert module.taken is original


def test_who_holds_a_replacement_anyway_keeps_it(module: ModuleType) -> None:
    """A module that had the replacement by name before the world has it afterwards: a test of it, for instance."""
    module.tested = new  # type: ignore[attr-defined]
    patcher = Patcher()
    patcher.replace_everywhere(old, new)
    patcher.flush()
    module.fresh = new  # type: ignore[attr-defined]
    patcher.restore()

    assert (module.tested, module.bound, module.fresh) == (new, old, old)


def test_who_interferes_is_named() -> None:
    """A name that somebody else has set meanwhile is restored all the same, and told."""
    patcher = Patcher()
    patcher.set(Owner, "value", 2)
    Owner.value = 9
    patcher.restore()

    assert Owner.value == 1
    assert patcher.disturbed == ["Owner.value"]


def test_what_cannot_be_restored_is_an_error() -> None:
    """`restore` looks at every name again: a stubborn one is told with what it is and what it should be."""

    class Stubborn:
        def __setattr__(self, name: str, value: object) -> None:
            vars(self).setdefault("log", []).append(value)
            vars(self)[name] = len(vars(self)["log"])

    owner = Stubborn()
    vars(owner)["value"] = "first"
    patcher = Patcher()
    patcher.set(owner, "value", "second")

    with pytest.raises(NotRestored, match=r"value is 2, expected 'first'"):
        patcher.restore()


def test_lazy_modules_stay_lazy() -> None:
    """The walk looks into a module without asking it for attributes, so a lazy one is not loaded by it."""
    asked = []

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            asked.append(name)
            return super().__getattribute__(name)

    sys.modules["lazy_for_a_test"] = Lazy("lazy_for_a_test")
    try:
        asked.clear()
        patcher = Patcher()
        patcher.replace_everywhere(old, new)
        patcher.flush()
        patcher.restore()
    finally:
        del sys.modules["lazy_for_a_test"]

    assert asked == []
