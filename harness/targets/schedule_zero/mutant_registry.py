"""The defects that can be brought into the scheduler, by name; the modules that hold them register them here."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

PATCHED = ("schedule_zero", "apscheduler")
"""The packages whose classes mutants patch."""

REGISTRY: dict[str, Callable[[], None]] = {}
"""What breaks this process as each name says; filled while the modules of mutants are imported, and never after."""


def mutant(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function that breaks the process it is called in; its docstring's first line says how."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        REGISTRY[name] = function
        return function

    return register


def watch(modules: Sequence[str], met: Callable[[], object]) -> int:
    """Have `met` called once, when any function of `modules` is called that stands in a class of the scheduler.

    Returns how many such functions there are.
    """
    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            met()

    found = list(_patches(modules))
    for owner, name, function, static in found:
        watched = _telling(function, tell)
        setattr(owner, name, staticmethod(watched) if static else watched)
    return len(found)


def _patches(modules: Sequence[str]) -> Iterator[tuple[type, str, FunctionType, bool]]:
    for module in [m for name, m in sorted(sys.modules.items()) if name.partition(".")[0] in PATCHED]:
        own = [value for value in vars(module).values() if isinstance(value, type)]
        for owner in [value for value in own if value.__module__ == module.__name__]:
            for name, value in list(vars(owner).items()):
                function = value.__func__ if isinstance(value, staticmethod) else value
                if isinstance(function, FunctionType) and function.__module__ in modules:
                    yield owner, name, function, isinstance(value, staticmethod)


def _telling(function: FunctionType, tell: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def watched(*args: Any, **options: Any) -> Any:
        tell()
        return function(*args, **options)

    return watched
