"""The typed model of a scenario file, field by field.

A `Scenario` is immutable and serialises to JSON (``model_dump(mode="json")``). This module knows shapes only: whether a fault,
a check, a driver or an operation of that name exists is asked of a `harness.scenario.vocabulary.Vocabulary`.
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.scenario.values import Comparison, CountRange, Duration, Expectation, Odds, Rate, Span

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._\-]*$")]
"""Lower-case words joined by ``.``, ``-`` or ``_``."""


class Kind(str, Enum):
    """What a scenario is for."""

    LOAD = "load"
    REGRESSION = "regression"
    CYCLES = "cycles"
    CHAOS = "chaos"


class World(str, Enum):
    """Where a scenario runs: on real processes, or in deterministic simulation."""

    REAL = "real"
    SIM = "sim"


class Model(BaseModel):
    """Base of every part: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)


class OpenModel(BaseModel):
    """Base of the parts whose further keys belong to a driver or a fault kind, which checks them (see ``options``)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        """The keys this model does not know itself."""
        return dict(self.__pydantic_extra__ or {})


class Seeds(Model):
    """``count`` seeds beginning at ``from``."""

    count: int = Field(gt=0)
    start: int = Field(default=1, alias="from")


class Limits(Model):
    """How long each phase may take, in seconds. ``run`` bounds the phase; the workload itself may end earlier."""

    setup: Duration = 30.0
    run: Duration = 300.0
    settle: Duration = 30.0
    teardown: Duration = 30.0


class GovernorSpec(OpenModel):
    """Who keeps the target's processes alive, and how."""

    kind: Literal["process", "thread"] = "process"
    restart: Literal["always", "on-failure", "never"] = "on-failure"
    max_restarts: int = Field(default=3, ge=0)
    restart_delay: Duration = 0.5


class TargetSpec(OpenModel):
    """The system under test: a registered driver, its governor, and options of the driver's own."""

    driver: str
    governor: GovernorSpec = GovernorSpec()


class Service(Model):
    """How long a mock handler works on one call: log-normal through these percentiles, or constant when they are equal (seconds)."""

    p50: Duration
    p99: Duration | None = None


class HandlerGroup(OpenModel):
    """``count`` handlers named after the pattern ``name``, where ``{n}`` counts from 1."""

    name: str = "h{n}"
    count: int = Field(default=1, gt=0, le=1000)
    mock: str = "worker"
    service: Annotated[Service, BeforeValidator(lambda v: {"p50": v} if isinstance(v, str) else v)] = Service(p50=0.0)
    concurrency: int = Field(default=4, gt=0)

    def names(self) -> tuple[str, ...]:
        """The names of the handlers of this group.

        >>> HandlerGroup(name="h{n}", count=2).names()
        ('h1', 'h2')
        """
        if "{n}" not in self.name:
            return (self.name,)
        return tuple(self.name.replace("{n}", str(n)) for n in range(1, self.count + 1))


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, dict | HandlerGroup) else value


class Topology(Model):
    """What the target is made of."""

    scheduler: dict[str, Any] = {}
    handlers: Annotated[tuple[HandlerGroup, ...], BeforeValidator(_as_tuple)] = ()

    def handler_names(self) -> tuple[str, ...]:
        """All handlers, in order."""
        return tuple(name for group in self.handlers for name in group.names())


class Expect(Model):
    """``{within: 15s, expect: {registered-handlers: 5}}``; with ``after`` measured from each heal that it names (glob)."""

    within: Duration
    expect: dict[str, Expectation] = Field(min_length=1)
    after: str = ""


class Stage(Model):
    """A stretch of an open-loop workload at one rate or along one ramp."""

    length: Duration = Field(alias="for", gt=0)
    rate: Rate
    measure: bool = False


class InFlight(Model):
    """How many calls may be under way; beyond it an arrival is counted as dropped, or waits."""

    max: int = Field(default=500, gt=0)
    over: Literal["count", "wait"] = "count"


class Workload(Model):
    """A stream of operations.

    ``open``: arrivals at ``rate`` for ``for`` (or along ``stages``) whatever the answers. ``closed``: ``users`` callers, each waiting
    for its answer and then ``think`` before the next. ``once``: ``count`` calls, as fast as they are answered.
    """

    id: Name
    op: str
    args: dict[str, Any] = Field(default={}, alias="with")
    model: Literal["open", "closed", "once"] = "open"
    at: Duration = 0.0
    rate: Rate | None = None
    length: Duration | None = Field(default=None, alias="for")
    stages: tuple[Stage, ...] = ()
    arrivals: Literal["constant", "poisson"] = "constant"
    users: int = Field(default=1, gt=0)
    think: Span = Span(0.0, 0.0)
    count: int | None = Field(default=None, gt=0)
    in_flight: InFlight = InFlight()
    timeout: Duration = 30.0

    @model_validator(mode="after")
    def _fits_its_model(self) -> Self:
        if self.model == "open" and bool(self.stages) == bool(self.rate):
            raise ValueError("an open workload has either `rate` with `for`, or `stages`")
        if self.rate and self.length is None:
            raise ValueError("`rate` needs `for`: how long?")
        if self.model == "closed" and self.length is None and self.count is None:
            raise ValueError("a closed workload needs `for` or `count`")
        if self.model == "once" and (self.stages or self.rate or self.length):
            raise ValueError("a workload of model `once` has `count`, no rate and no length")
        return self

    def spans(self) -> tuple[Stage, ...]:
        """The stages; a plain ``rate`` is one measured stage."""
        if self.stages or self.rate is None:
            return self.stages
        return (Stage(**{"for": self.length, "rate": self.rate, "measure": True}),)

    def duration(self) -> float | None:
        """Seconds from the run's start to the last arrival, where that is known beforehand."""
        if self.model == "open":
            return self.at + sum(stage.length for stage in self.spans())
        return None if self.length is None else self.at + self.length


class When(Model):
    """A trigger: the nth time `event` occurs, or each time with the given odds."""

    event: str
    nth: int | None = Field(default=None, gt=0)
    odds: Odds | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.nth is None) == (self.odds is None):
            raise ValueError("`when` needs exactly one of `nth` and `odds`")
        return self


class FaultSpec(OpenModel):
    """One fault: what, where, when, for how long. Keys of the kind itself are in `options`."""

    id: Name
    kind: str
    where: str | dict[str, int | str] = ""
    at: Duration | None = None
    every: Span | None = None
    start: Duration | None = Field(default=None, alias="from")
    end: Duration | None = Field(default=None, alias="to")
    when: When | None = None
    after: str | None = Field(default=None, pattern=r"^[a-z0-9._\-]+\.heal$")
    length: Duration | None = Field(default=None, alias="for", gt=0)
    keep: bool = False

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        triggers = [self.at, self.every, self.when, self.after]
        if sum(t is not None for t in triggers) > 1 or (self.start is not None and self.at is not None):
            raise ValueError("a fault has one trigger: `at`, `every`, `from`..`to`, `when` or `after`")
        if all(t is None for t in triggers) and self.start is None:
            raise ValueError("say when: `at`, `every`, `from`..`to`, `when` or `after`")
        if self.start is not None and self.every is None and self.when is None and self.end is None:
            raise ValueError("`from` needs `to`")
        return self


class Nemesis(Model):
    """How the fault plan is drawn: ``swarm`` takes a random subset of the faults per seed, never more than ``overlap`` at once, with ``quiet`` between."""

    swarm: bool = False
    overlap: int | None = Field(default=None, gt=0)
    quiet: Duration = 0.0


class Wait(Model):
    """Wait until the target is ``ready`` (or ``down``)."""

    until: Literal["ready", "down"] = "ready"
    within: Duration


class StopStep(Model):
    """Stop by a signal drawn from ``how`` with the weights ``mix``."""

    how: tuple[Literal["term", "int", "quit", "kill"], ...] = ("term",)
    mix: tuple[int, ...] = ()
    timeout: Duration = 30.0

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.mix and len(self.mix) != len(self.how):
            raise ValueError("`mix` gives one weight for each of `how`")
        return self


class OpStep(Model):
    """Make ``count`` operations, one after the other."""

    op: str
    args: dict[str, Any] = Field(default={}, alias="with")
    count: CountRange | None = None
    timeout: Duration = 10.0


class CycleStep(Model):
    """One step of a cycle; exactly one key is set."""

    do: Literal["start", "stop", "restart"] | None = None
    wait: Wait | None = None
    call: OpStep | None = None
    stop: StopStep | None = None
    add: str | None = None
    remove: str | None = None
    bounce: str | None = None
    crash: str | None = None


def _cycle_step(value: Any) -> Any:
    if isinstance(value, str):
        return {"do": value}
    if isinstance(value, dict) and "op" in value:
        return {"call": value}
    return value


class Cycles(Model):
    """``count`` times the ``steps``, with a random ``gap`` between."""

    count: int = Field(gt=0)
    steps: tuple[Annotated[CycleStep, BeforeValidator(_cycle_step)], ...] = Field(min_length=1)
    gap: Span = Span(0.0, 0.0)
    start: Literal["each", "once"] = "each"
    """``each``: the steps start the target themselves; ``once``: it is started before the first and stopped after the last."""


class Given(Model):
    """One operation to make before (``given``) or as (``when``) the event under test; ``advance`` lets time pass instead."""

    id: str = ""
    op: str = ""
    args: dict[str, Any] = Field(default={}, alias="with")
    count: int = Field(default=1, gt=0)
    advance: Duration | None = None
    timeout: Duration = 30.0
    expect: Literal["ok", "fail", "info", "any"] = "ok"

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if bool(self.op) == (self.advance is not None):
            raise ValueError("a step has either `op` or `advance`")
        return self


CheckSpec = str | dict[str, Any]
"""``no-lost-job`` or ``{runs-per-job: {max: 1}}``."""


class Checks(Model):
    """What must hold, by when it is judged. `sometimes` names things that must be seen at least once."""

    always: tuple[CheckSpec, ...] = ()
    eventually: tuple[Expect, ...] = ()
    finally_: tuple[CheckSpec, ...] = Field(default=(), alias="finally")
    each: tuple[CheckSpec, ...] = ()
    sometimes: tuple[str, ...] = ()


class Abort(Model):
    """Stop the run when the threshold has been broken for ``after``."""

    after: Duration


class Threshold(Model):
    """A bound on a metric: ``p99 < 400ms``, or the long form with ``min_samples`` and ``abort``."""

    expr: Comparison
    min_samples: int = Field(default=1, gt=0)
    abort: Abort | None = None


def _threshold(value: Any) -> Any:
    return {"expr": value} if isinstance(value, str) else value


class Known(Model):
    """A strict expected failure with an end date: ``until`` is a date or a version; passing is then a failure."""

    issue: str
    until: str | date
    expect: Literal["fail"] = "fail"


class ReportSpec(Model):
    """Which files a run leaves besides history and verdict."""

    formats: tuple[Literal["html", "junit", "jsonl"], ...] = ("html", "junit", "jsonl")
    if_failed: tuple[Literal["replay-command"], ...] = ("replay-command",)


class Scenario(Model):
    """One scenario: what is done to which target, and what must hold."""

    scenario: Literal[1]
    name: Name
    about: str = ""
    kind: Kind
    worlds: tuple[World, ...] = Field(default=(World.REAL,), min_length=1)
    seed: int | None = Field(default=None, ge=0)
    seeds: Seeds | None = None
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
    thresholds: dict[str, tuple[Annotated[Threshold, BeforeValidator(_threshold)], ...]] = {}
    known: Known | None = None
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.seed is not None and self.seeds is not None:
            raise ValueError("give `seed` or `seeds`, not both")
        if self.kind is Kind.CYCLES and self.cycles is None:
            raise ValueError("a scenario of kind `cycles` needs `cycles`")
        if self.kind is not Kind.CYCLES and self.cycles is not None:
            raise ValueError("`cycles` belongs to a scenario of kind `cycles`")
        if not (self.workload or self.cycles or self.given or self.when):
            raise ValueError("nothing is done: give `workload`, `cycles`, or `given` and `when`")
        for what, ids in (("workload", [w.id for w in self.workload]), ("fault", [f.id for f in self.faults])):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"two {what} entries have the id {twice[0]!r}")
        return self

    def all_seeds(self) -> tuple[int, ...]:
        """The seeds this file asks for; one run each. Without any it is seed 0, so that every run has one."""
        if self.seeds is not None:
            return tuple(range(self.seeds.start, self.seeds.start + self.seeds.count))
        return (self.seed or 0,)
