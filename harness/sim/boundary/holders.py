"""Says by which step one object holds another: an attribute, an entry of a table, a default, a closure's variable."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any, Final

_SEQUENCES: Final = (list, tuple, collections.deque)
_ENTRY: Final = re.compile(r"\[(?:'(?P<name>\w+)'|(?P<index>\d+))\](?P<rest>.*)", re.DOTALL)
"""The first step of a path, into a mapping or a sequence."""

_key = object.__hash__


def paths(holder: Any, held: Any, path: str) -> Iterator[str]:
    """Each path from `holder` through `held`, which it refers to, on along `path`; none if it is no holding of a value.

    >>> list(paths({"now": len}, len, ".func"))
    ["['now'].func"]
    """
    kind = type(holder)
    if kind is FunctionType:
        yield from _of_function(holder, held, path)
    elif isinstance(holder, type):
        if type(held) is dict:
            yield as_attribute(path)
    elif kind in (CellType, staticmethod, classmethod):
        yield path
    else:
        if isinstance(holder, dict):
            entries = [key for key, value in dict.items(holder) if value is held and key != "__annotations__"]
        else:
            entries = (
                [index for index, value in enumerate(holder) if value is held] if isinstance(holder, _SEQUENCES) else []
            )
        yield from (f"[{entry!r}]{path}" for entry in entries)
        if not entries:
            yield from _of_object(holder, held, path)


def name_of(holder: Any) -> str | None:
    """``module.name`` of a function or class; None for what has no name of its own."""
    if isinstance(holder, FunctionType):
        # Not its __module__, which `functools.wraps` copies from the function that it wraps.
        return f"{holder.__globals__.get('__name__')}.{holder.__qualname__}"
    return f"{holder.__module__}.{holder.__qualname__}" if isinstance(holder, type) else None


def as_attribute(path: str) -> str:
    """A path into a namespace: ``['now'].func`` becomes ``.now.func``."""
    found = _ENTRY.match(path)
    return path if found is None or found["name"] is None else f".{found['name']}{found['rest']}"


def _of_function(holder: FunctionType, held: Any, path: str) -> Iterator[str]:
    """Defaults and closures go by the names of their variables."""
    found = _ENTRY.match(path)
    code = holder.__code__
    if held is holder.__dict__:
        yield as_attribute(path)
    elif found is None:
        return
    elif held is holder.__kwdefaults__:
        yield f"({found['name']}=){found['rest']}"
    elif held is holder.__defaults__:
        index = code.co_argcount - len(holder.__defaults__) + int(found["index"])
        yield f"({code.co_varnames[index]}=){found['rest']}"
    elif held is holder.__closure__:
        yield f".<closure>.{code.co_freevars[int(found['index'])]}{found['rest']}"


def _of_object(holder: Any, held: Any, path: str) -> Iterator[str]:
    space = _space(holder)
    if space is held:
        yield as_attribute(path)
        return
    for name in dict.fromkeys((*_members(holder), *space)):
        try:
            value = object.__getattribute__(holder, name)
        except AttributeError:
            continue
        if value is held:
            yield f".{name}{path}"


def _members(holder: Any) -> Iterator[str]:
    """Where an object without a dictionary may keep values: its slots, the members of types written in C."""
    for kind in type(holder).__mro__:
        for name, member in vars(kind).items():
            if type(member).__name__ in ("member_descriptor", "getset_descriptor") and name != "__dict__":
                yield name


def _space(holder: Any) -> dict[str, Any]:
    """The attributes of an instance; since Python 3.11 the collector sees many of them without a dictionary.

    Never by `getattr`, which a proxy would answer for somebody else.
    """
    try:
        space = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        space = None
    return space if type(space) is dict else {}
