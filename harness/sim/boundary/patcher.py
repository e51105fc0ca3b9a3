"""Replaces names for the life of one world, then proves that each is what it was."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

from harness.sim.boundary.escapes import escapes
from harness.sim.errors import SimError

_ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<absent>"})()
_THEIRS: Any = object()
_OWN = "harness.sim"
_ORIGINS = frozenset({"_thread", "_queue", "_frozen_importlib", "_frozen_importlib_external"})
"""Where originals live, and the import system, which must go on with real locks."""

_key = object.__hash__
"""The identity of any object. `id` would do, but it raises an audit event each time, which the world's hook hears."""


class NotRestored(SimError):
    """A name is not what it was before the world; says which, what it is and what it should be."""


# Of classes of their own, by which the search for escapes knows that it need not look there.


class _Pair(NamedTuple):
    old: Any
    new: Any


class _First(NamedTuple):
    owner: Any
    name: str
    old: Any


class _Set(NamedTuple):
    owner: Any
    name: str
    old: Any
    value: Any


class _Originals(list[Any]):
    """What a patcher has put back."""


class Patcher:
    """Sets attributes, last in first out, and knows what each was.

    `set` acts at once. `replace_everywhere` waits for `flush`, which walks all loaded modules one time for all of
    them: names bound by ``from time import monotonic`` before the world began are found there.

    >>> import time
    >>> patcher = Patcher()
    >>> real = time.sleep
    >>> patcher.set(time, "sleep", print)
    >>> patcher.restore()
    >>> time.sleep is real
    True
    """

    def __init__(self) -> None:
        self._done: list[_Set] = []
        self._first: dict[tuple[int, str], _First] = {}
        self._replaced: dict[int, _Pair] = {}
        self._originals = _Originals()
        """What was replaced, once it is put back."""
        self._theirs: set[tuple[str, str]] = set()
        """Modules and names that hold a replacement of their own accord: ``from harness.sim.locks import Lock``."""
        self.disturbed: list[str] = []
        """Names that somebody else had set meanwhile; they were put back all the same."""

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Make ``owner.name`` be `value` until `restore`; `owner` is a module, a class or an object."""
        old = _get(owner, name)
        self._done.append(_Set(owner, name, old, value))
        self._first.setdefault((id(owner), name), _First(owner, name, old))
        setattr(owner, name, value)

    def replace_everywhere(self, old: Any, new: Any) -> None:
        """Have `flush` replace `old` by `new` in the globals of every loaded module but those of the simulation."""
        self._replaced[_key(old)] = _Pair(old, new)

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """`set` and `replace_everywhere` at once: ``owner.name`` and every module global that is the same object."""
        old = getattr(owner, name)
        self.set(owner, name, value)
        self.replace_everywhere(old, value)

    def flush(self) -> int:
        """Walk the loaded modules; how many names were replaced."""
        table = {_key(new): _THEIRS for _, new in self._replaced.values()}
        table |= {key: new for key, (_, new) in self._replaced.items()}
        bound = _bound_to(table)
        self._theirs = {(module.__name__, name) for module, name, new in bound if new is _THEIRS}
        self._theirs -= {(_label(owner), name) for owner, name, _, _ in self._done}
        found = [entry for entry in bound if entry[2] is not _THEIRS]
        for module, name, new in found:
            self.set(module, name, new)
        return len(found)

    def escapes(self) -> list[str]:
        """Who holds on to a replaced original: in a default, a closure, a table, an attribute, a partial; in sentences.

        As ``mine.clocks['now'] is time.time``. May be asked inside the world and after it.
        """
        return escapes([*self._originals, *(old for old, _ in self._replaced.values())])

    def restore(self) -> None:
        """Put everything back and check it; `NotRestored` when something is still different.

        Modules that were imported inside the world have bound replacements: those get the originals, too.
        """
        for owner, name, old, new in reversed(self._done):
            if _get(owner, name) is not new:
                self.disturbed.append(f"{_label(owner)}.{name}")
            _put(owner, name, old)
        back = {_key(new): old for old, new in self._replaced.values()}
        for module, name, old in _bound_to(back):
            if (module.__name__, name) not in self._theirs:
                setattr(module, name, old)
        wrong = self._wrong()
        self._done.clear()
        self._first.clear()
        # Replacements go now: of a world that waits for the collector they would each hold an original.
        self._originals = _Originals(old for old, _ in self._replaced.values())
        self._replaced.clear()
        if wrong:
            raise NotRestored("names that a simulated world had replaced are not restored: " + "; ".join(wrong))

    def _wrong(self) -> list[str]:
        return [
            f"{_label(owner)}.{name} is {now!r}, expected {old!r}"
            for owner, name, old in self._first.values()
            if (now := _get(owner, name)) is not old
        ]


def _get(owner: Any, name: str) -> Any:
    """What the owner itself holds, unbound; `_ABSENT` when it only inherits the name."""
    space = getattr(owner, "__dict__", None)
    return getattr(owner, name, _ABSENT) if space is None else space.get(name, _ABSENT)


def _put(owner: Any, name: str, value: Any) -> None:
    if value is _ABSENT:
        if _get(owner, name) is not _ABSENT:
            delattr(owner, name)
    else:
        setattr(owner, name, value)


def _label(owner: Any) -> str:
    return getattr(owner, "__name__", None) or repr(owner)


def _bound_to(table: dict[int, Any]) -> list[tuple[ModuleType, str, Any]]:
    """Module globals that are one of the objects whose `_key` is a key, with the value of the table."""
    found = []
    wanted = frozenset(table)
    for label, module in list(sys.modules.items()):
        if label.startswith(_OWN) or label in _ORIGINS or not isinstance(module, ModuleType):
            continue
        # A lazy module must not load because we look at it.
        space = object.__getattribute__(module, "__dict__")
        # In C for the many modules that hold none of them: this walk is most of what opening a world costs.
        if not wanted.isdisjoint(map(_key, space.values())):
            found += [(module, name, table[_key(value)]) for name, value in list(space.items()) if _key(value) in table]
    return found
