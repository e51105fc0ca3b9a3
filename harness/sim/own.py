"""What an interpreter has once and every simulated process has for itself: a table of names, swapped by value."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

_ABSENT: Any = object()
"""The value of a name that the process has deleted: ``del sys.stdin`` is its own affair."""


class OwnNames:
    """The names, in the order in which they were declared; a process's values stand in a list of the same order.

    The kernel swaps them whenever a thread of another process gets the baton, a hundred times in each second of a busy
    deployment's real time. Names of modules are therefore swapped in their dictionaries, and what is the same object
    in both processes is left alone.
    """

    __slots__ = ("_factories", "_globals", "_others")

    def __init__(self) -> None:
        self._factories: list[Callable[[], Any]] = []
        self._globals: list[tuple[int, dict[str, Any], str]] = []
        """Index, module's dictionary, name."""
        self._others: list[tuple[int, object, str]] = []
        """Index, class or object, attribute: may be properties, hence they are set as such."""

    def declare(self, holder: object, attribute: str, factory: Callable[[], Any]) -> int:
        """Swap one more name; its index in the lists of values. A name that is declared again has its old one."""
        index = self._find(holder, attribute)
        if index is not None:
            self._factories[index] = factory
            return index
        index = len(self._factories)
        self._factories.append(factory)
        if type(holder) is ModuleType:
            self._globals.append((index, vars(holder), attribute))
        else:
            self._others.append((index, holder, attribute))
        return index

    def _find(self, holder: object, attribute: str) -> int | None:
        space = vars(holder) if type(holder) is ModuleType else None
        for index, other, name in (*self._globals, *self._others):
            if name == attribute and (other is holder or other is space):
                return index
        return None

    def new(self) -> list[Any]:
        """The values of a new process."""
        return [factory() for factory in self._factories]

    def swap(self, leaving: list[Any], coming: list[Any]) -> None:
        """Take the present values down in `leaving`, then put up those in `coming`."""
        for index, space, name in self._globals:
            leaving[index] = now = space.get(name, _ABSENT)
            value = coming[index]
            if value is _ABSENT:
                space.pop(name, None)
            elif value is not now:
                space[name] = value
        for index, holder, name in self._others:
            leaving[index] = now = getattr(holder, name)
            value = coming[index]
            if value is not now:
                setattr(holder, name, value)
