"""The parts of a scenario that say with what load: ``workload``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.scenario.misfit import Misfit
from harness.scenario.parts import Flag, Model, Name, Whole
from harness.scenario.values import Arguments, Length, PositiveLength, Rate, Span


class Stage(Model):
    """A stretch of an open-loop workload at one rate or along one ramp."""

    length: PositiveLength = Field(alias="for")
    rate: Rate
    measure: Flag = False


class InFlight(Model):
    """How many calls may be under way; beyond it an arrival is counted as dropped, or waits."""

    max: Whole = Field(default=500, gt=0)
    over: Literal["count", "wait"] = "count"


_CLOSED_HINT = "or `model: closed` for callers that wait, `model: once` for a few calls"


class Workload(Model):
    """A stream of operations.

    ``open``: arrivals at ``rate`` for ``for`` (or along ``stages``) whatever the answers. ``closed``:
    ``users`` callers, each waiting for its answer and then ``think`` before the next. ``once``: ``count``
    calls, as fast as they are answered.
    """

    id: Name
    op: str
    args: Arguments = Field(default={}, alias="with")
    model: Literal["open", "closed", "once"] = "open"
    at: Length = 0.0
    rate: Rate | None = None
    length: PositiveLength | None = Field(default=None, alias="for")
    stages: tuple[Stage, ...] = ()
    arrivals: Literal["constant", "poisson"] = "constant"
    users: Whole = Field(default=1, gt=0, le=100_000)
    think: Span = Span(0.0, 0.0)
    count: Whole | None = Field(default=None, gt=0)
    in_flight: InFlight = InFlight()
    timeout: PositiveLength = 30.0

    @model_validator(mode="after")
    def _fits_its_model(self) -> Self:
        if self.rate and self.stages:
            raise Misfit(
                "an open workload has either `rate` with `for`, or `stages`, not both", at=("rate",), key=True
            )
        if self.model == "open" and not (self.rate or self.stages):
            raise Misfit(
                "an open workload needs a rate", expected="`rate` with `for`, or `stages`", hint=_CLOSED_HINT
            )
        if self.model == "open" and self.rate and self.length is None:
            raise Misfit("`rate` needs `for`: how long?", at=("rate",), key=True)
        if self.model == "closed" and self.length is None and self.count is None:
            raise Misfit("a closed workload needs `for` or `count`")
        for key, given in (("rate", self.rate), ("stages", self.stages)):
            if self.model != "open" and given:
                raise Misfit(
                    f"`{key}` belongs to a workload of model `open`", found=self.model, at=(key,), key=True
                )
        if self.model == "once" and self.length:
            raise Misfit("a workload of model `once` has `count`, no rate and no length", at=("for",), key=True)
        return self

    def spans(self) -> tuple[Stage, ...]:
        """The stages; a plain ``rate`` is one measured stage."""
        if self.stages or self.rate is None:
            return self.stages
        return (Stage.model_validate({"for": self.length, "rate": self.rate, "measure": True}),)

    def duration(self) -> float | None:
        """Seconds from the run's start to the last arrival, where that is known beforehand."""
        if self.model == "open":
            return self.at + sum(stage.length for stage in self.spans())
        return None if self.length is None else self.at + self.length
