"""The defects that can be brought into the scheduler, by name; the modules that hold them register them here."""

from __future__ import annotations

from collections.abc import Callable

REGISTRY: dict[str, Callable[[], None]] = {}
"""What breaks this process as each name says; filled while the modules of mutants are imported, and never after."""


def mutant(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function that breaks the process it is called in; its docstring's first line says how."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        REGISTRY[name] = function
        return function

    return register
