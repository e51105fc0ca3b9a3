"""What the scheduler's processes share in a simulated world, and must not.

Simulated processes live in one interpreter and so share its modules. Three things of ours are a module's and belong to
a process: who listens at the barriers, the agent, and the code that a mutant has changed. The first two are declared as
per process. A mutant is applied once (every process of a run has the same), and undone at the end of the world.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import schedule_zero
from harness.agent import boot
from harness.targets.schedule_zero import mutants
from schedule_zero import barriers

if TYPE_CHECKING:
    from harness.sim import World


class SharedModules:
    """A part of a simulated world, for runs of the scheduler in it."""

    BOUNDARY: ClassVar[tuple[Any, ...]] = ()

    def __init__(self) -> None:
        self._before: list[tuple[Any, dict[str, Any]]] = []

    def install(self, world: World) -> None:
        """Declare what is per process, and note how the code is before a mutant changes it."""
        # A module that is first imported inside the world is run in zero time, but whatever it made at import would
        # be the world's; what the scheduler consists of is there before.
        for module in _modules():
            self._before.append((module, dict(vars(module))))
            self._before += [(kind, dict(vars(kind))) for kind in _classes(module)]
        world.kernel.process_local(barriers, "_entries", list)
        world.kernel.process_local(boot, "_running", list)
        world.patcher.set(mutants, "apply", _once(mutants.apply))

    def remove(self) -> None:
        """Undo what a mutant did."""
        for owner, before in self._before:
            _restore(owner, before)
        self._before.clear()


def _once(apply: Callable[..., None]) -> Callable[..., None]:
    """`mutants.apply` for a world: the second process of a run finds the code changed already."""
    applied: set[str] = set()

    def call(name: str, *more: Any) -> None:
        if name not in applied:
            applied.add(name)
            apply(name, *more)

    return call


def _modules() -> list[ModuleType]:
    names = [info.name for info in pkgutil.walk_packages(schedule_zero.__path__, f"{schedule_zero.__name__}.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def _classes(module: ModuleType) -> list[type]:
    return [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]


def _restore(owner: Any, before: dict[str, Any]) -> None:
    now = dict(vars(owner))
    for name, value in now.items():
        if name not in before:
            delattr(owner, name)
        elif value is not before[name]:
            setattr(owner, name, before[name])
    for name in before.keys() - now.keys():
        setattr(owner, name, before[name])
