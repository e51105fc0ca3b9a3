"""What a command line starts: the Python interpreter of this world, a script, or a function registered as a program."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.sim.errors import NotSimulated
from harness.sim.machine import wrappers
from harness.sim.machine.command_line import Function, Program, parse
from harness.sim.machine.descriptors import failure

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

Namer = Callable[[list[str], Mapping[str, str]], str]
_DEEPEST: Final = 16
"""Wrapper scripts around one program; more of them run each other for ever."""
_PYTHON: Final = re.compile(r"^(pypy|python)\d*(\.\d+)*[a-z]?$")


class Programs:
    """Everything that can be started in one world.

    :ivar naming: what a process is called, from its command and environment; default: its module or script.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._functions: dict[str, Function] = {}
        self._names: dict[str, int] = {}
        self.naming: Namer = lambda argv, env: ""

    def register(self, name: str, function: Function) -> None:
        """Let the command `name` (a path, or what is looked for on PATH) run ``function(argv)`` as a process.

        It has the process's own ``sys.argv``, environment and streams; what it returns is the exit code.

        >>> machine.programs.register("true", lambda argv: 0)  # doctest: +SKIP
        """
        self._functions[name] = function

    def name(self, program: Program, argv: list[str], env: Mapping[str, str]) -> str:
        """A name for a new process: unique, the same in every run, ``server``, ``server#2``."""
        base = self.naming(argv, env) or _base_name(program)
        number = self._names[base] = self._names.get(base, 0) + 1
        return base if number == 1 else f"{base}#{number}"

    def find(
        self, executables: Sequence[str], words: list[str], folder: str, env: Mapping[str, str], depth: int = 0
    ) -> Program:
        """The program of a command; `executables` are the places to look, in order, `env` is where wrappers look.

        :raises OSError: there is none (ENOENT), or it may not be run (EACCES).
        :raises NotSimulated: there is one, and this world does not know it.
        """
        refused = False
        for candidate in executables:
            function = self._functions.get(candidate) or self._functions.get(Path(candidate).name)
            if function is not None:
                return Program("function", Path(candidate).name, tuple(words), function=function)
            path = Path(folder, candidate)
            if not path.is_file():
                continue
            if not os.access(path, os.X_OK):
                refused = True
                continue
            return self._of_file(path, words, folder, env, depth)
        raise failure(errno.EACCES if refused else errno.ENOENT)

    def _of_file(self, path: Path, words: list[str], folder: str, env: Mapping[str, str], depth: int) -> Program:
        with path.open("rb") as file:
            head = file.read(256)
        if not head.startswith(b"#!"):
            if _is_interpreter(path):
                return parse(words)
            raise NotSimulated(
                f"the program {path} is not simulated: give the world one with "
                f"machine.programs.register({path.name!r}, function), or start it as {sys.executable} -m module"
            )
        line = os.fsdecode(head[2:].splitlines()[0]).split()
        if wrappers.is_shell(line):
            return self._wrapped(path, words, folder, env, depth)
        if not line or not any(_PYTHON.match(Path(word).name) for word in line):
            raise NotSimulated(f"the script {path} for {' '.join(line)} is not simulated: only Python scripts are")
        return Program("script", str(path), (str(path), *words[1:]))

    def _wrapped(self, path: Path, words: list[str], folder: str, env: Mapping[str, str], depth: int) -> Program:
        wrapper = wrappers.read(path)
        if depth == _DEEPEST:
            raise NotSimulated(f"the shell script {path} is wrapped in {depth} others: do they run each other?")
        inner = [*wrapper.words, *words[1:]]
        if not inner:
            raise NotSimulated(f"the shell script {path} was given no program to run")
        env = {**env, **dict(wrapper.env)}
        try:
            found = self.find(wrappers.places(inner[0], env), inner, folder, env, depth + 1)
        except OSError as error:
            return _refusing(f"{path}: {wrapper.line}: exec: {inner[0]}", tuple(inner), error)
        return replace(found, env=(*wrapper.env, *found.env), command=found.command or tuple(inner))


def _refusing(what: str, words: tuple[str, ...], error: OSError) -> Program:
    """A shell that could not run what it was to run: 127 when it is not there, 126 when it must not be run."""
    missing = error.errno == errno.ENOENT

    def refuse(argv: list[str]) -> int:
        print(f"{what}: {'not found' if missing else error.strerror}", file=sys.stderr)
        return 127 if missing else 126

    return Program("function", "sh", words, function=refuse)


def _is_interpreter(path: Path) -> bool:
    here = Path(sys.executable)
    return (here.exists() and path.samefile(here)) or bool(_PYTHON.match(path.name))


def _base_name(program: Program) -> str:
    if program.kind == "module":
        return program.what.removesuffix(".__main__").rpartition(".")[2]
    if program.kind in ("code", "input"):
        return "python"
    return Path(program.what).stem or "python"
