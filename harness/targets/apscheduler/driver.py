"""Runs an APScheduler 4 scheduler, in a process of its own or in a thread of this one.

APScheduler itself is imported when a target is made, so that nobody waits for it who only asks what there is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from harness.scenario.model import Scenario, World
from harness.targets.apscheduler import operations, tasks
from harness.targets.apscheduler.options import ApschedulerOptions, ApschedulerTargetOptions
from harness.targets.base import OpSpec, PlaceKind, Target, TargetContext


class ApschedulerDriver:
    """``driver: apscheduler``."""

    name: ClassVar[str] = "apscheduler"
    about: ClassVar[str] = "any APScheduler 4 scheduler, by a factory or by options; no ZeroMQ, no handlers"
    worlds: ClassVar[tuple[World, ...]] = (World.REAL, World.SIM)
    options: ClassVar[type[BaseModel]] = ApschedulerTargetOptions
    scheduler_options: ClassVar[type[BaseModel]] = ApschedulerOptions
    handler_options: ClassVar[type[BaseModel] | None] = None
    places: ClassVar[Mapping[str, PlaceKind]] = {"scheduler": PlaceKind.PROCESS, "store": PlaceKind.STORE}
    ops: ClassVar[Mapping[str, OpSpec]] = operations.OPS
    methods: ClassVar[tuple[str, ...]] = ()
    calls: ClassVar[Mapping[str, Callable[..., Any]]] = tasks.OWN
    """What ``call`` may name without a module."""

    def require_mutant(self, name: str) -> None:
        """Raise `UsageError` for a mutant that does not exist."""
        from harness.targets.apscheduler import mutants

        mutants.require(name)

    def parts(self) -> Sequence[Any]:
        """Nothing beyond what every simulated world holds."""
        # Now: what APScheduler makes at its import would be made of the world that it is first imported in.
        importlib.import_module("harness.targets.apscheduler.target")
        return ()

    def create(self, scenario: Scenario, context: TargetContext) -> Target:
        """A target whose files lie under the run's folder; nothing is started."""
        from harness.targets.apscheduler.target import ApschedulerTarget

        return ApschedulerTarget(scenario, context)
