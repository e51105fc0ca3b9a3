"""Which keys a pydantic model knows at a path: what an unknown key could have been."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from harness.scenario.misfit import Path


def known_keys(model: type[BaseModel], path: Path = ()) -> list[str]:
    """The keys of the mapping at `path` below `model`, as a file writes them; empty where any key is allowed.

    Parts of the path that lead nowhere, such as the members of unions in pydantic's locations, are passed over.

    >>> from harness.scenario.model import Scenario
    >>> known_keys(Scenario, ("limits",))
    ['setup', 'run', 'settle', 'teardown']
    """
    found: list[str] = []
    for candidate in _models_at(model, path):
        found += [key for key in aliases(candidate) if key not in found]
    return found


def holds_list(model: type[BaseModel], path: Path) -> bool:
    """Whether the value at `path` below `model` is a list.

    >>> from harness.scenario.model import Scenario
    >>> holds_list(Scenario, ("workload",)), holds_list(Scenario, ("limits",))
    (True, False)
    """
    types_here: list[Any] = [model]
    for part in path:
        types_here = [inner for kind in types_here for inner in _step(kind, part)]
    return any(typing.get_origin(one) in (tuple, list) for kind in types_here for one in _unwrapped(kind))


def aliases(model: type[BaseModel]) -> list[str]:
    """The keys of one model: the alias of each field, or its name."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_at(model: type[BaseModel], path: Path) -> Iterator[type[BaseModel]]:
    types_here: list[Any] = [model]
    for part in path:
        types_here = [inner for kind in types_here for inner in _step(kind, part)] or types_here
    for kind in types_here:
        yield from (k for k in _unwrapped(kind) if isinstance(k, type) and issubclass(k, BaseModel))


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that the value at one key or index of `kind` may have."""
    for one in _unwrapped(kind):
        origin, args = typing.get_origin(one), typing.get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, field in one.model_fields.items():
                if part == (field.alias or name):
                    yield field.annotation
        elif origin in (tuple, list) and isinstance(part, int) and args:
            yield args[0]
        elif origin is dict and len(args) == 2:
            yield args[1]


def _unwrapped(kind: Any) -> Iterator[Any]:
    """`kind` without Annotated and Optional; each member of a union."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from _unwrapped(typing.get_args(kind)[0])
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(kind):
            yield from _unwrapped(member)
    else:
        yield kind
        # A list may be written as its only entry (`handlers: {...}`), so an entry's keys are looked for too.
        if origin is tuple and typing.get_args(kind):
            yield from _unwrapped(typing.get_args(kind)[0])
