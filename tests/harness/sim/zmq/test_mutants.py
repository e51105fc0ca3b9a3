"""The conformance tests notice when the simulation is broken: every mutant dies at the test that is named for it."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]
HERE = Path(__file__).parent
_ABSENT = object()


def load(name: str) -> ModuleType:
    """A module of this folder, under a name of its own."""
    key = f"_killers_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        spec.loader.exec_module(module)
    return sys.modules[key]


MUTANTS = load("mutants").MUTANTS


def cases(function: Any) -> dict[str, dict[str, Any]]:
    """Arguments of a parametrized test by the id that pytest gives them."""
    axes = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names = mark.args[0].split(",") if isinstance(mark.args[0], str) else list(mark.args[0])
            ids = mark.kwargs.get("ids")
            rows = []
            for number, value in enumerate(mark.args[1]):
                values = value if len(names) > 1 else (value,)
                label = ids[number] if ids else "-".join(str(part) for part in values)
                rows.append((label, dict(zip(names, values, strict=True))))
            axes.append(rows)
    found: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*axes):
        arguments: dict[str, Any] = {}
        for _, part in combination:
            arguments |= part
        found["-".join(label for label, _ in combination)] = arguments
    return found


def killer(where: str) -> Callable[[], None]:
    """The test of that address, run in the simulated arm."""
    file, function_name, *case = where.split(":", 2)
    path = file if (HERE / f"test_{file}.py").exists() else f"conformance_{file}"
    function = getattr(load(f"test_{path}"), function_name)
    arguments = cases(function)[case[0] if case else ""]
    fixture = "sim" if "sim" in function.__code__.co_varnames[: function.__code__.co_argcount] else "world"

    def run() -> None:
        with load("conftest").arm_of("sim") as arm:
            function(**{fixture: arm}, **arguments)

    return run


@contextmanager
def broken(mutant: Any) -> Iterator[None]:
    """The simulation with this break."""
    original = vars(mutant.owner).get(mutant.name, _ABSENT)
    callable_ = original.__func__ if isinstance(original, staticmethod) else original
    setattr(mutant.owner, mutant.name, mutant.make(None if callable_ is _ABSENT else callable_))
    try:
        yield
    finally:
        if original is _ABSENT:
            delattr(mutant.owner, mutant.name)
        else:
            setattr(mutant.owner, mutant.name, original)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.says.replace(" ", "-") for mutant in MUTANTS])
def test_mutant_dies(mutant: Any) -> None:
    """The named test passes on the simulation as it is, and fails on the broken one."""
    run = killer(mutant.killer)
    run()
    survived = False
    try:
        with broken(mutant):
            run()
        survived = True
    except Exception:  # noqa: BLE001 - an assertion, a deadlock: whatever makes the test fail
        survived = False
    assert not survived, f"{mutant.killer} did not notice that {mutant.says}"


def test_enough_mutants() -> None:
    """There are at least fifty, each says something of its own."""
    assert len(MUTANTS) >= 50
    assert len({mutant.says for mutant in MUTANTS}) == len(MUTANTS)
