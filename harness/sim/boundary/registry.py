"""The table of what a simulated world simulates, fences or passes through.

Every module that replaces something lists it in a constant ``BOUNDARY``; so do the parts of a world. The table is data:
the documentation is generated from it, and a test can ask it.

>>> [entry.how.value for entry in all() if entry.name == "time.sleep"]
['simulated']
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MODULES = (
    "harness.sim.boundary.clock",
    "harness.sim.boundary.wall",
    "harness.sim.boundary.entropy",
    "harness.sim.boundary.order",
    "harness.sim.boundary.listing",
    "harness.sim.boundary.pools",
    "harness.sim.boundary.process_state",
    "harness.sim.boundary.garbage",
    "harness.sim.boundary.temporary",
    "harness.sim.boundary.fences",
    "harness.sim.loop",
    "harness.sim.boundary.threading_names",
    "harness.sim.zmq.part",
    "harness.sim.machine.part",
)
"""Modules with a ``BOUNDARY``; those that are not installed are left out."""


class How(StrEnum):
    """What happens when simulated code reaches a name."""

    SIMULATED = "simulated"
    """The world answers: virtual time, seeded entropy, its own threads, sockets or processes."""
    FENCED = "fenced"
    """`NotSimulated` is raised, with the place of the call."""
    PASSED = "passed"
    """The real thing is used, because its answer does not depend on time or chance, or cannot be seen."""


@dataclass(frozen=True, order=True, slots=True)
class Boundary:
    """One name of the standard library or of a dependency.

    `name` is dotted as a user writes it (``time.sleep``), `how` what happens to it, `why` one sentence.
    """

    name: str
    how: How
    why: str

    def as_json(self) -> dict[str, str]:
        """The entry as plain strings."""
        return {"name": self.name, "how": self.how.value, "why": self.why}


class Registry:
    """The entries that one world has in force.

    A fence gives way to whoever simulates the name; two parts that both claim one name are a mistake.
    """

    def __init__(self, entries: Iterable[Boundary] = ()) -> None:
        self._entries: dict[str, Boundary] = {}
        self.add(*entries)

    def add(self, *entries: Boundary) -> None:
        """Take entries in; `ValueError` when a name is already claimed as something else than fenced."""
        for entry in entries:
            known = self._entries.get(entry.name)
            if known is not None and known != entry:
                if entry.how is How.FENCED:
                    continue
                if known.how is not How.FENCED:
                    raise ValueError(
                        f"{entry.name} is claimed twice: {known.how.value} ({known.why}), "
                        f"{entry.how.value} ({entry.why})"
                    )
            self._entries[entry.name] = entry

    def how(self, name: str) -> How | None:
        """What happens to `name`, or None when the table does not know it."""
        entry = self._entries.get(name)
        return None if entry is None else entry.how

    def entries(self) -> tuple[Boundary, ...]:
        """Everything, sorted by name."""
        return tuple(self._entries[name] for name in sorted(self._entries))


def all() -> tuple[Boundary, ...]:
    """Every boundary of this installation, sorted by name: the kernel's own and those of the parts that exist."""
    registry = Registry()
    for name in MODULES:
        registry.add(*of(name))
    return registry.entries()


def of(module: str) -> tuple[Boundary, ...]:
    """The ``BOUNDARY`` of one module; empty when it is not installed or has none."""
    package = module.rpartition(".")[0]
    try:
        if importlib.util.find_spec(package) is None or importlib.util.find_spec(module) is None:
            return ()
    except ModuleNotFoundError:
        return ()
    return tuple(getattr(importlib.import_module(module), "BOUNDARY", ()))
