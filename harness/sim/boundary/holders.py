"""Says by which step one object holds another: an attribute, an entry of a table, a default, a closure's variable."""

from __future__ import annotations

import collections
import gc
import re
from collections.abc import Callable, Container, Iterator
from functools import partial
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

Path = Callable[[str], str]
"""Makes the path from a holder of the path from what it holds."""

_SEQUENCES: Final = (list, tuple, collections.deque)
_ENTRY: Final = re.compile(r"\[(?:'(?P<name>\w+)'|(?P<index>\d+))\](?P<rest>.*)", re.DOTALL)
"""The first step of a path, into a mapping or a sequence."""

_key = object.__hash__


def paths(holder: Any, wanted: Container[int]) -> Iterator[tuple[Any, Path]]:
    """Each object that `holder` holds and whose key is wanted, with what makes a path from it one from `holder`.

    >>> [(value, path(".func")) for value, path in paths({"now": len}, [_key(len)])]
    [(<built-in function len>, "['now'].func")]
    """
    kind = type(holder)
    if kind is ModuleType:
        return  # its namespace is asked for itself
    if kind is FunctionType:
        yield from _of_function(holder, wanted)
    elif isinstance(holder, type):
        yield from (
            (space, as_attribute) for space in gc.get_referents(holder) if type(space) is dict and _key(space) in wanted
        )
    elif isinstance(holder, dict):
        yield from (
            (value, partial(_entry, key))
            for key, value in list(dict.items(holder))
            if _key(value) in wanted and key != "__annotations__"
        )
        if kind is not dict:
            yield from _of_object(holder, wanted)
    elif isinstance(holder, _SEQUENCES):
        yield from ((value, partial(_entry, index)) for index, value in enumerate(holder) if _key(value) in wanted)
    elif kind in (CellType, staticmethod, classmethod):
        yield from ((value, str) for value in gc.get_referents(holder) if _key(value) in wanted)
    else:
        yield from _of_object(holder, wanted)


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


def _entry(key: object, path: str) -> str:
    return f"[{key!r}]{path}"


def _attribute(name: str, path: str) -> str:
    return f".{name}{path}"


def _of_function(holder: FunctionType, wanted: Container[int]) -> Iterator[tuple[Any, Path]]:
    """Defaults and closures go by the names of their variables."""
    if _key(holder.__dict__) in wanted:
        yield holder.__dict__, as_attribute
    code = holder.__code__
    defaults = holder.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    if _key(holder.__kwdefaults__) in wanted:
        yield holder.__kwdefaults__, lambda path: _variable("({}=)", path, {})
    if _key(holder.__defaults__) in wanted:
        yield holder.__defaults__, lambda path: _variable("({}=)", path, dict(enumerate(named)))
    if _key(holder.__closure__) in wanted:
        yield holder.__closure__, lambda path: _variable(".<closure>.{}", path, dict(enumerate(code.co_freevars)))


def _variable(form: str, path: str, names: dict[int, str]) -> str:
    """A path into a tuple or dictionary of a function's, by the name of the variable."""
    found = _ENTRY.match(path)
    if found is None:
        return path
    return form.format(found["name"] or names[int(found["index"])]) + found["rest"]


def _of_object(holder: Any, wanted: Container[int]) -> Iterator[tuple[Any, Path]]:
    space = _space(holder)
    if _key(space) in wanted:
        yield space, as_attribute
    for name in dict.fromkeys((*_members(holder), *space)):
        try:
            value = object.__getattribute__(holder, name)
        except AttributeError:
            continue
        if _key(value) in wanted and value is not space:
            yield value, partial(_attribute, name)


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
