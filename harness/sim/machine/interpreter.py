"""What the options of the interpreter make of one simulated process: ``sys.flags``, variables heeded, import path."""

from __future__ import annotations

import os
import site
import sys
import types
from collections import namedtuple
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.sim.machine.command_line import Program

if TYPE_CHECKING:
    from harness.sim.process import SimProcess

_FIELDS: Final[Mapping[str, Mapping[str, object]]] = {
    "B": {"dont_write_bytecode": 1},
    "E": {"ignore_environment": 1},
    "I": {"isolated": 1, "ignore_environment": 1, "no_user_site": 1, "safe_path": True},
    "P": {"safe_path": True},
    "q": {"quiet": 1},
    "s": {"no_user_site": 1},
}
"""What an option sets in ``sys.flags`` (``Py_Main``); R and u leave it as it is."""


def begin(program: Program, first: SimProcess) -> None:
    """Set ``sys.flags`` and ``sys.path`` of the running process; `first` is the one that opened the world."""
    fields = {name: value for letter in program.flags for name, value in _FIELDS.get(letter, {}).items()}
    if fields:
        sys.flags = _flags(fields)
    if "B" in program.flags:
        sys.dont_write_bytecode = True
    sys.path = _search_path(program, first)


def variable(program: Program, name: str) -> str:
    """A ``PYTHON…`` variable of the environment; empty when the program was started to ignore them."""
    return "" if {"E", "I"} & set(program.flags) else os.environ.get(name, "")


def is_safe(program: Program) -> bool:
    """Whether the folder of the program is kept out of the import path (``-P``)."""
    return bool({"I", "P"} & set(program.flags))


def _search_path(program: Program, first: SimProcess) -> list[str]:
    more = [entry for entry in variable(program, "PYTHONPATH").split(os.pathsep) if entry]
    left = list(more)
    if {"E", "I"} & set(program.flags):
        left += first.env.get("PYTHONPATH", "").split(os.pathsep)
    if {"I", "s"} & set(program.flags) and site.ENABLE_USER_SITE:
        left.append(site.getusersitepackages())
    return [*([] if is_safe(program) else [_folder(program)]), *more, *(one for one in sys.path if one not in left)]


def _folder(program: Program) -> str:
    if program.kind == "script":
        return str(Path(program.what).resolve().parent)
    return "" if program.kind in ("code", "input") else os.getcwd()  # noqa: PTH109 - an import path is text


def _flags(changed: Mapping[str, object]) -> Any:
    """``sys.flags`` with other values; its own class cannot be called."""
    real = sys.flags
    names: tuple[str, ...] = type(real).__match_args__
    shown: Any = lambda self: f"sys.flags({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"  # noqa: E731
    kind: Any = type("flags", (namedtuple("flags", names),), {"__module__": "sys", "__repr__": shown, "__slots__": ()})
    for name, member in vars(type(real)).items():
        if isinstance(member, types.MemberDescriptorType) and name not in names:
            setattr(kind, name, getattr(real, name))
    return kind(*(changed.get(name, getattr(real, name)) for name in names))
