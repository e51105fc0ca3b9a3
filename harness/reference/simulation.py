"""The programming interface of ``harness.sim``, from the docstrings and signatures of its public names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from harness import sim
from harness.pytest.simulated import sim_world
from harness.reference.docstrings import attributes, markdown
from harness.reference.tables import table
from harness.sim.errors import SimError
from harness.sim.fabric import Fabric
from harness.sim.machine.disk import Disk
from harness.sim.machine.machine import Machine
from harness.sim.machine.programs import Programs
from harness.sim.process import SimProcess
from harness.sim.settings import OPTIONS, SETTINGS

__all__ = ["disk", "errors", "fabric", "fixture", "functions", "processes", "rules", "world"]

_FIELD = re.compile(r"^:(\w+)(?: (\w+))?: ?", re.MULTILINE)
_EXAMPLE = re.compile(r"^(?:>>>|\.\.\.).*(?:\n(?!\n|:).*)*", re.MULTILINE)
_TITLES = {"param": "argument", "ivar": "attribute"}
_RULES: tuple[type, ...] = (sim.Pass, sim.Deliver, sim.Drop, sim.Duplicate, sim.Hold)


def world() -> str:
    """The class `World` with its options, what each of them must be, and what an open world offers."""
    must = {name: words for name, (_, words) in {**SETTINGS, **OPTIONS}.items()}
    rows = [[f"`{name}`", expected] for name, expected in must.items()]
    offers = [_entry(f"world.{name}", getattr(sim.World, name)) for name in ("tape", "now", "elapsed", "digest")]
    parts = [_entry("World", sim.World), "What they must be:", table(["option", "must be"], rows), *offers]
    return "\n\n".join(parts)


def fabric() -> str:
    """What a test can do to the network."""
    return _members("world.fabric", Fabric, "rule", "partition", "heal", "set_latency", "held", "release")


def rules() -> str:
    """What a rule is given, and what it may return."""
    return "\n\n".join(_entry(kind.__name__, kind) for kind in (sim.Message, *_RULES))


def processes() -> str:
    """What a test can do to processes, and how it gives a world further programs."""
    parts = [
        _members("world.machine", Machine, "process", "existing"),
        _members("process", SimProcess, "alive", "kill", "pause", "resume"),
        _members("world.machine.programs", Programs, "register"),
    ]
    return "\n\n".join(parts)


def disk() -> str:
    """What a test can do to the disk."""
    methods = _members("world.machine.disk", Disk, "trouble", "begin", "end", "corrupt", "track", "power_cut")
    return f"{_entry('DiskFault', sim.DiskFault)}\n\n{methods}"


def functions() -> str:
    """What runs a function in a world, and what it gives."""
    return "\n\n".join(
        [
            _entry("run", sim.run),
            _entry("check_determinism", sim.check_determinism),
            _entry("RunResult", sim.RunResult),
            _entry("Tape", sim.Tape),
            *(_entry(f"Tape.{name}", getattr(sim.Tape, name)) for name in ("save", "load")),
            _entry("Trace", sim.Trace),
            _entry("current_thread", sim.current_thread),
        ]
    )


def errors() -> str:
    """Every error of a simulated world with the exit code it ends a command with."""
    rows = []
    for name in sim.__all__:
        kind = getattr(sim, name)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            code = str(int(kind.exit_code)) if issubclass(kind, SimError) else "–"
            rows.append([f"`{name}`", code, " ".join(_text(_fields(kind)[0]).split())])
    return table(["error", "exit code", "meaning"], rows)


def fixture() -> str:
    """The fixture for tests."""
    return _text(inspect.cleandoc(sim_world.__doc__ or ""))


def _members(where: str, kind: type, *names: str) -> str:
    return "\n\n".join(_entry(f"{where}.{name}", getattr(kind, name)) for name in names)


def _entry(name: str, documented: Any) -> str:
    """A heading, how it is called, what it does, its arguments, what it raises, an example."""
    text, fields, examples = _fields(documented)
    parts = [f"### {name}"]
    if callable(documented) and not (isinstance(documented, type) and issubclass(documented, Enum)):
        parts.append(f"`{_call(name, documented)}`")
    parts.append(_text(text))
    for field, title in _TITLES.items():
        rows = [[f"`{about}`", said] for kind, about, said in fields if kind == field]
        parts += [table([title, "meaning"], rows)] if rows else []
    parts += [f"Raises `{about}`: {said}" for kind, about, said in fields if kind == "raises"]
    if isinstance(documented, type) and issubclass(documented, Enum):
        parts.append(table(["fault", "meaning"], [[f"`{one}`", words] for one, words in _words_of(documented)]))
    parts += [f"```pycon\n{example}\n```" for example in examples]
    return "\n\n".join(part for part in parts if part)


def _words_of(kind: type[Enum]) -> Iterator[tuple[str, str]]:
    words = attributes(kind)
    return ((f"{kind.__name__}.{one.name}", words[one.name]) for one in kind)


def _fields(documented: Any) -> tuple[str, list[tuple[str, str, str]], list[str]]:
    """A docstring taken apart: its text, its fields (kind, name, text), its examples."""
    whole = inspect.cleandoc(documented.__doc__ or "")
    examples = [re.sub(r" *# doctest:.*", "", example) for example in _EXAMPLE.findall(whole)]
    text, *rest = _FIELD.split(_EXAMPLE.sub("", whole))
    pieces = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    return text, [(kind, name or "", _text(" ".join(said.split()))) for kind, name, said in pieces], examples


def _text(text: str) -> str:
    """Paragraphs with their lines joined, as Markdown."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    return markdown("\n\n".join(paragraph for paragraph in paragraphs if paragraph))


def _call(name: str, function: Callable[..., Any]) -> str:
    """How it is written in a program: names, types and defaults of the arguments; ``with`` for a context manager."""
    parts, bare = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not bare:
            bare = True
            parts.append("*")
        bare = bare or parameter.kind is parameter.VAR_POSITIONAL
        parts.append(_parameter(parameter))
    manager = inspect.isgeneratorfunction(inspect.unwrap(function))
    return f"{'with ' if manager else ''}{name}({', '.join(parts)})"


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return f"{'**' if parameter.kind is parameter.VAR_KEYWORD else '*'}{parameter.name}"
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {parameter.annotation}{default}"
