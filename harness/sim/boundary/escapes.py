"""Finds who holds on to a real clock, lock or source of chance where no replacement of names reaches.

A default argument (``def f(clock=time.monotonic)``), a table (``{"now": time.time}``), a closure, an attribute, a
`functools.partial` or a ``default_factory`` made before the world keeps the real thing. Such a place reads real time
inside a world, which shows as a history that is not repeatable. Looking for them asks the collector who refers to
whom, so it is done when somebody asks, and when two runs differed.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import random
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, Final

from harness.sim.boundary.holders import as_attribute, name_of, paths

_OWN: Final = (
    "harness.sim",
    "random",
    "threading",
    "psutil",
    "queue",
    "sched",
    "tempfile",
    "selectors",
    "subprocess",
    "multiprocessing",
    "time_machine",
)
"""Whose holding is known: the simulation keeps originals for the host, the others are patched inside."""
_DEPTH: Final = 7
"""Containers in each other between what is held and a name."""
_FEW: Final = 400
"""So many can be asked for at once: the collector compares each reference there is with each of them."""
_WIDTH: Final = 20_000
"""Containers of one level that are looked at; ended worlds that wait for the collector have some hundreds each."""

_key = object.__hash__


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """An object from which an original is reached by `path`, such as ``['now'].func``."""

    holder: Any
    path: str
    original: Any


def escapes(originals: list[Any]) -> list[str]:
    """One sentence for each place that holds one of `originals` and was not replaced, sorted."""
    # Objects that the host has frozen are not listed; that they are no longer frozen costs time alone.
    gc.unfreeze()
    level = [_Held(original, "", original) for original in originals]
    return sorted([*_Search(originals).run(level), *_chances()])


def _chances() -> Iterator[str]:
    """Generators in the globals of modules: they go on where they stood, whatever the seed of the world."""
    for name, module in _modules():
        for attribute, value in list(vars(module).items()):
            drawn = isinstance(value, random.Random) and not isinstance(value, random.SystemRandom)
            if drawn and not name.startswith(_OWN):
                yield f"{name}.{attribute} is a {type(value).__name__} made before, which goes on where it stood"


class _Search:
    """Goes from what is held to who holds that, level by level, until it comes to something with a name."""

    def __init__(self, asked: list[Any]) -> None:
        self._found: set[str] = set()
        self._modules = {_key(vars(module)): name for name, module in _modules()}
        self._asked = asked

    def run(self, level: list[_Held]) -> list[str]:
        for _ in range(_DEPTH):
            level = self._climb(level[:_WIDTH])
        return sorted(self._found)

    def _climb(self, level: list[_Held]) -> list[_Held]:
        """Holders of what is in `level` that have no name; of those that have one a sentence is kept."""
        table: dict[int, list[_Held]] = {}
        for held in level:
            table.setdefault(_key(held.holder), []).append(held)
        objects = [held[0].holder for held in table.values()]
        ours = {_key(mine) for mine in (self._asked, level, table, objects, self.__dict__, *level, *table.values())}
        above: list[_Held] = []
        climbed: set[int] = set()
        for holder in _referrers(objects):
            if _key(holder) not in ours and type(holder) is not FrameType and not _of_the_simulation(holder):
                for held, path in _of(holder, table):
                    climbed.add(_key(held.holder))
                    above += self._told(holder, held, path)
        for held in level:
            kind = type(held.holder)
            if held.path and _key(held.holder) not in climbed and kind.__module__ != "builtins":
                self._tell(f"{kind.__module__}.{kind.__qualname__}", held, "some ")  # a variable's, say
        return above

    def _told(self, holder: Any, held: _Held, path: str) -> Iterator[_Held]:
        """Nothing, for a holder with a name, which is told; else what to climb on from."""
        module = self._modules.get(_key(holder))
        now = _Held(holder, path, held.original)
        if module is not None:
            if held.path:  # a global that is an original itself is replaced, or its own module's
                self._tell(module, dataclasses.replace(now, path=as_attribute(path)))
        elif (name := name_of(holder)) is not None:
            self._tell(name, now)
        else:
            yield now

    def _tell(self, name: str, held: _Held, article: str = "") -> None:
        where, what = f"{name}{held.path}", _called(held.original)
        # Neither a function's own place, nor one that remembers what it wraps, as functools.wraps has it.
        if not name.startswith(_OWN) and where != what and held.path != ".__wrapped__":
            self._found.add(f"{article}{where} is {what}")


def _modules() -> Iterator[tuple[str, ModuleType]]:
    return ((name, module) for name, module in list(sys.modules.items()) if isinstance(module, ModuleType))


def _referrers(objects: list[Any]) -> list[Any]:
    """Who refers to one of these."""
    if len(objects) <= _FEW:
        mark = object()
        found = gc.get_referrers(*objects, mark)
        # Python 3.13 sees the arguments of this very call, too.
        return [one for one in found if not (type(one) is tuple and one and one[-1] is mark)]
    wanted = frozenset(map(_key, objects))
    return [one for one in gc.get_objects() if not wanted.isdisjoint(map(_key, gc.get_referents(one)))]


def _of(holder: Any, table: dict[int, list[_Held]]) -> Iterator[tuple[_Held, str]]:
    """What of the table a holder holds, by which path. Of a class only who makes objects of it: signatures name it."""
    for value, path in paths(holder, table):
        for held in table[_key(value)]:
            if held.path or not isinstance(value, type) or _makes(holder):
                yield held, path(held.path)


def _makes(holder: Any) -> bool:
    """It calls what it holds: partials, default dictionaries, fields of dataclasses and of attrs."""
    return isinstance(holder, functools.partial | collections.defaultdict | dataclasses.Field) or (
        type(holder).__module__ == "attr._make" and type(holder).__name__ == "Factory"
    )


def _of_the_simulation(holder: Any) -> bool:
    """One of its objects, or a partial of one of its functions."""
    kind = holder.func if isinstance(holder, functools.partial) else type(holder)
    return (getattr(kind, "__module__", None) or "").startswith(_OWN)


def _called(value: Any) -> str:
    return f"{getattr(value, '__module__', None) or 'builtins'}.{getattr(value, '__qualname__', repr(value))}"
