"""Finds who holds on to a real clock, lock or source of chance where no replacement of names reaches.

A default argument (``def f(clock=time.monotonic)``), a class attribute, a `functools.partial` made before the world
keeps the real thing. Such a place reads real time inside a world, which shows as a history that is not repeatable.
Looking for them walks every object of the interpreter, so it is done when somebody asks, and when two runs differed.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

_OWN = ("harness.sim", "random", "threading", "queue", "tempfile", "selectors", "subprocess", "multiprocessing")
"""Whose holding is known: the simulation keeps originals for the host, the others are patched inside."""

_key = object.__hash__


def escapes(originals: Iterable[object]) -> list[str]:
    """One sentence for each function, class or partial that holds one of `originals`, sorted."""
    wanted = {_key(original): original for original in originals if not isinstance(original, type)}
    # Objects that the host has frozen are not listed; that they are no longer frozen costs time alone.
    gc.unfreeze()
    found: set[str] = set()
    for holder in gc.get_objects():
        for what, value in _held(holder):
            if _key(value) in wanted:
                found.add(f"{what} {_name(value)}")
    return sorted(found)


def _held(holder: Any) -> Iterator[tuple[str, object]]:
    """What a function has as defaults, a class as attributes, a partial as its function."""
    kind = type(holder)
    if kind is FunctionType:
        if not (holder.__module__ or "").startswith(_OWN):
            values = (*(holder.__defaults__ or ()), *(holder.__kwdefaults__ or {}).values())
            yield from ((f"{_name(holder)} has the default", value) for value in values)
    elif kind is functools.partial:
        yield "a partial of", holder.func
    elif issubclass(kind, type) and isinstance(holder.__module__, str) and not holder.__module__.startswith(_OWN):
        for value in vars(holder).values():
            held = value.__func__ if type(value) is staticmethod else value
            yield f"{_name(holder)} has the attribute", held


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', None) or 'builtins'}.{getattr(value, '__qualname__', repr(value))}"
