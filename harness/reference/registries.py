"""Faults, checks, drivers and mutants, as they are registered."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from harness.checks.registry import checks as registered_checks
from harness.checks.sometimes import KNOWN
from harness.faults.registry import kinds
from harness.reference.docstrings import summary
from harness.reference.meanings import MEANINGS
from harness.reference.tables import functions, keys, table
from harness.sim.boundary import registry
from harness.targets.apscheduler import mutants as broken_apscheduler
from harness.targets.registry import drivers as registered_drivers
from harness.targets.schedule_zero import mutants as broken


def faults() -> str:
    """Every kind of fault with its arguments."""
    parts = []
    for name, kind in sorted(kinds().items()):
        facts = f"Acts on a {' or a '.join(p.value for p in kind.accepts)}. Worlds: {', '.join(kind.worlds)}."
        parts.append(f"### {name}\n\n{kind.about}\n\n{summary(kind)}\n\n{facts}\n\n{keys(kind.args_model)}")
    return "\n\n".join(parts)


def checks() -> str:
    """Every check with its arguments."""
    parts = []
    for name, check in sorted(registered_checks().items()):
        sections = ", ".join(f"`{section.value}`" for section in sorted(check.sections))
        part = f"### {name}\n\n{check.about}\n\nMay stand in {sections}."
        if check.args is not None:
            part += f"\n\n{summary(check.args)}\n\n{keys(check.args)}"
        parts.append(part)
    return "\n\n".join(parts)


def sightings() -> str:
    """What ``sometimes`` may name."""
    return table(["name", "seen when"], [[f"`{name}`", about] for name, about in sorted(KNOWN.items())])


def drivers() -> str:
    """Every driver with its options and operations."""
    parts = []
    for name, driver in sorted(registered_drivers().items()):
        parts.append(f"### {name}\n\n{driver.about}")
        models = (
            ("keys of `target`", driver.options),
            ("keys of `topology.scheduler`", driver.scheduler_options),
            ("further keys of `topology.handlers`", driver.handler_options),
        )
        parts += [f"{title}:\n\n{_explained(model)}" for title, model in models if model]
        places = ", ".join(f"`{place}`" for place in driver.places)
        parts.append(f"Places a fault can point at, besides the handlers: {places}.")
        if calls := getattr(driver, "calls", None):  # a driver need not have any
            parts.append(f"Tasks that `call` may name:\n\n{functions(calls)}")
        parts += [f"#### {op.name}\n\n{op.about}\n\n{_explained(op.args)}" for op in driver.ops.values()]
        inner = dict.fromkeys(part for op in driver.ops.values() for part in _parts_of(op.args))
        parts += [f"#### {part.__name__}\n\n{summary(part)}\n\n{_explained(part)}" for part in inner]
    return "\n\n".join(parts)


def boundary() -> str:
    """What a simulated world simulates, fences or passes through."""
    return table(["name", "how", "why"], [[f"`{e.name}`", e.how.value, e.why] for e in registry.all()])


def _explained(model: type[BaseModel]) -> str:
    return keys(model, MEANINGS.get(model.__name__))


def _parts_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that the arguments of an operation are made of, each once."""
    found: dict[type[BaseModel], None] = {}

    def look(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found[annotation] = None
            for field in annotation.model_fields.values():
                look(field.annotation)
        for inner in get_args(annotation):
            look(inner)

    for field in model.model_fields.values():
        look(field.annotation)
    return list(found)


def mutants() -> str:
    """Every way in which a target can be broken on purpose."""
    rows = [
        [f"`{name}`", driver, about]
        for driver, each in (("schedule_zero", broken), ("apscheduler", broken_apscheduler))
        for name, about in each.about().items()
    ]
    return table(["mutant", "driver", "what it breaks"], rows)
