"""The typed model of a scenario file, field by field.

A `Scenario` is immutable and serialises to JSON (``model_dump(mode="json")``). This module knows shapes only:
whether a fault, a check, a driver or an operation of that name exists is asked of a
`harness.scenario.vocabulary.Vocabulary`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.scenario.check_parts import Abort, Checks, CheckSpec, Expect, Known, Threshold, ThresholdSpec
from harness.scenario.fault_parts import FaultSpec, Nemesis, When
from harness.scenario.misfit import Misfit
from harness.scenario.parts import Flag, Kind, Model, Name, OpenModel, Whole, World
from harness.scenario.step_parts import Cycles, CycleStep, Given, OpStep, StopStep, Wait
from harness.scenario.target_parts import GovernorSpec, HandlerGroup, Service, TargetSpec, Topology
from harness.scenario.values import Length, PositiveLength
from harness.scenario.workload_parts import InFlight, Stage, Workload

__all__ = [
    "Abort",
    "CheckSpec",
    "Checks",
    "CycleStep",
    "Cycles",
    "Expect",
    "FaultSpec",
    "Flag",
    "Given",
    "GovernorSpec",
    "HandlerGroup",
    "InFlight",
    "Kind",
    "Known",
    "Limits",
    "Model",
    "Name",
    "Nemesis",
    "OpStep",
    "OpenModel",
    "ReportSpec",
    "Scenario",
    "Seeds",
    "Service",
    "Stage",
    "StopStep",
    "TargetSpec",
    "Threshold",
    "Topology",
    "Wait",
    "When",
    "Whole",
    "Workload",
    "World",
]


class Seeds(Model):
    """``count`` seeds beginning at ``from``."""

    count: Whole = Field(gt=0, le=1_000_000)
    start: Whole = Field(default=1, alias="from", ge=0)


class Limits(Model):
    """How long each phase may take, in seconds. ``run`` is a bound; the workload itself may end earlier."""

    setup: PositiveLength = 30.0
    run: PositiveLength = 300.0
    settle: Length = 30.0
    teardown: PositiveLength = 30.0


class ReportSpec(Model):
    """Which files a run leaves besides history and verdict."""

    formats: tuple[Literal["html", "junit", "jsonl"], ...] = ("html", "junit", "jsonl")


_UTC = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$"


class Scenario(Model):
    """One scenario: what is done to which target, and what must hold."""

    scenario: Literal[1]
    name: Name
    about: str = ""
    kind: Kind
    worlds: tuple[World, ...] = Field(default=(World.REAL,), min_length=1)
    seed: Whole | None = Field(default=None, ge=0)
    seeds: Seeds | None = None
    begins: str | None = Field(default=None, pattern=_UTC)
    limits: Limits = Limits()
    target: TargetSpec
    topology: Topology = Topology()
    steady: tuple[Expect, ...] = ()
    given: tuple[Given, ...] = ()
    when: tuple[Given, ...] = ()
    workload: tuple[Workload, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    nemesis: Nemesis | None = None
    abort_if: tuple[dict[str, str], ...] = ()
    cycles: Cycles | None = None
    then: tuple[CheckSpec, ...] = ()
    checks: Checks = Checks()
    thresholds: dict[str, tuple[ThresholdSpec, ...]] = Field(default={})
    known: Known | None = None
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.seed is not None and self.seeds is not None:
            raise Misfit("give `seed` or `seeds`, not both", at=("seeds",), key=True)
        if self.begins is not None and World.REAL in self.worlds:
            raise Misfit("only in `sim` can it be another time than it is", expected="`worlds: [sim]`", at=("begins",))
        if self.kind is Kind.CYCLES and self.cycles is None:
            raise Misfit("a scenario of kind `cycles` needs `cycles`", at=("kind",))
        if self.kind is not Kind.CYCLES and self.cycles is not None:
            raise Misfit(
                "`cycles` belongs to a scenario of kind `cycles`",
                found=self.kind.value,
                at=("cycles",),
                key=True,
            )
        if not (self.workload or self.cycles or self.given or self.when):
            raise Misfit("nothing is done", expected="`workload`, `cycles`, or `given` and `when`")
        return self

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        _differ("workload", [item.id for item in self.workload])
        _differ("faults", [item.id for item in self.faults])
        seen: set[str] = set()
        for number, group in enumerate(self.topology.handlers):
            for name in group.names():
                if name in seen:
                    raise Misfit(
                        f"two handlers have the name {name!r}", at=("topology", "handlers", number, "name")
                    )
                seen.add(name)
        return self

    def all_seeds(self) -> tuple[int, ...]:
        """The seeds this file asks for; one run each. Without any it is seed 0, so that every run has one."""
        if self.seeds is not None:
            return tuple(range(self.seeds.start, self.seeds.start + self.seeds.count))
        return (self.seed or 0,)


def _differ(section: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(ids):
        if name in seen:
            raise Misfit(
                f"two entries of {section} have the id {name!r}", found=name, at=(section, number, "id")
            )
        seen.add(name)
