"""What the scheduler's processes share in a simulated world, and must not.

Simulated processes live in one interpreter and so share its modules. Three things of ours are a module's and belong to
a process: who listens at the barriers, the agent, and the code that a mutant has changed. The first two are declared as
per process. A mutant is applied once (every process of a run has the same), and undone at the end of the world.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import apscheduler.triggers

import schedule_zero
from harness.agent import boot
from harness.targets.schedule_zero import hooks, mutants
from harness.targets.schedule_zero.mutant_registry import PATCHED
from schedule_zero import barriers

if TYPE_CHECKING:
    from harness.sim import World

Met = Callable[[], object]


class SharedModules:
    """A part of a simulated world, for runs of the scheduler in it."""

    BOUNDARY: ClassVar[tuple[Any, ...]] = ()

    def __init__(self) -> None:
        self._before: list[tuple[Any, dict[str, Any]]] = []

    def install(self, world: World) -> None:
        """Declare what is per process, and note how the code is before a mutant changes it."""
        for module in _modules():
            self._before.append((module, dict(vars(module))))
            self._before += [(kind, dict(vars(kind))) for kind in _classes(module)]
        world.kernel.process_local(barriers, "_entries", list)
        world.kernel.process_local(boot, "_running", list)
        world.patcher.set(mutants, "apply", _once(mutants.apply))
        world.patcher.set(hooks, "open_sockets", open_sockets)

    def remove(self) -> None:
        """Undo what a mutant did."""
        for owner, before in self._before:
            _restore(owner, before)
        self._before.clear()


def open_sockets() -> dict[str, Any]:
    """What `hooks.open_sockets` tells, of the simulated process that asks: it has no objects of its own to walk."""
    from harness.sim.zmq.census import sockets_of

    return {"open": dict(Counter(core.type_name for core in sockets_of(os.getpid())))}


def _once(apply: Callable[[str, Met], None]) -> Callable[..., None]:
    """`mutants.apply` for a world: the second process of a run finds the code changed already.

    Whichever process first runs what the mutant has put in tells of it, in its own journal.
    """
    applied: set[str] = set()
    told: dict[int, Met] = {}

    def tell() -> None:
        told[os.getpid()]()

    def call(name: str, met: Met = lambda: None) -> None:
        told[os.getpid()] = met
        if name not in applied:
            applied.add(name)
            apply(name, tell)

    return call


def _modules() -> list[ModuleType]:
    """What mutants may change: all of the scheduler, and of APScheduler what it uses.

    A module that is first imported inside the world is run in zero time, but whatever it made at import would be the
    world's, and so would be what a mutant has made of it; what the scheduler consists of is there before.
    """
    for package in (schedule_zero, apscheduler.triggers):  # triggers are imported when one is asked for
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                with _without_extras():
                    importlib.import_module(info.name)
    return [module for name, module in sorted(sys.modules.items()) if name.partition(".")[0] in PATCHED]


@contextlib.contextmanager
def _without_extras() -> Iterator[None]:
    """Pass over a module that needs a package of an extra, such as a store's driver, where that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in PATCHED:
            raise


def _classes(module: ModuleType) -> list[type]:
    return [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]


def _restore(owner: Any, before: dict[str, Any]) -> None:
    now = dict(vars(owner))
    for name, value in now.items():
        if name not in before:
            if not isinstance(value, ModuleType):  # a module imported meanwhile: it stays imported
                delattr(owner, name)
        elif value is not before[name]:
            setattr(owner, name, before[name])
    for name in before.keys() - now.keys():
        setattr(owner, name, before[name])
