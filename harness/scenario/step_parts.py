"""The parts of a scenario that are played step by step: ``cycles``, ``given``, ``when``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.scenario.misfit import Misfit
from harness.scenario.parts import Model, Whole
from harness.scenario.values import Arguments, CountRange, PositiveLength, Span


class Wait(Model):
    """Wait until the target is ``ready`` (or ``down``)."""

    until: Literal["ready", "down"] = "ready"
    within: PositiveLength


class StopStep(Model):
    """Stop by a signal drawn from ``how`` with the weights ``mix``, sent ``times`` times in a row; or by ``order``, as
    ``governor stop`` does, ``times`` of them at once."""

    how: tuple[Literal["term", "int", "quit", "kill", "order"], ...] = ("term",)
    mix: tuple[Annotated[Whole, Field(ge=0)], ...] = ()
    times: Annotated[Whole, Field(gt=0, le=10)] = 1
    timeout: PositiveLength = 30.0

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.mix and len(self.mix) != len(self.how):
            raise Misfit(
                "`mix` gives one weight for each of `how`", expected=f"{len(self.how)} weights", at=("mix",)
            )
        if self.mix and not any(self.mix):
            raise Misfit("every weight is 0", expected="at least one above 0", at=("mix",))
        return self


class OpStep(Model):
    """Make ``count`` operations, one after the other."""

    op: str
    args: Arguments = Field(default={}, alias="with")
    count: CountRange | None = None
    timeout: PositiveLength = 10.0


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

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise Misfit(
                "a step does one thing", expected=f"one of {', '.join(STEP_WORDS)}, or a mapping with `op`"
            )
        return self


STEP_WORDS = ("start", "stop", "restart", "wait", "add", "remove", "bounce", "crash")
"""What a step of a cycle can be, besides an operation."""


def _cycle_step(value: Any) -> Any:
    if isinstance(value, str):
        return {"do": value}
    if isinstance(value, dict) and "op" in value and "call" not in value:
        return {"call": value}
    return value


class Cycles(Model):
    """``count`` times the ``steps``, with a random ``gap`` between."""

    count: Whole = Field(gt=0)
    steps: tuple[
        Annotated[
            CycleStep,
            BeforeValidator(
                _cycle_step, json_schema_input_type=Literal["start", "stop", "restart"] | OpStep | CycleStep
            ),
        ],
        ...,
    ] = Field(min_length=1)
    gap: Span = Span(0.0, 0.0)
    start: Literal["each", "once"] = "each"
    """``each``: the steps start the target themselves; ``once``: it is up from the first to the last."""


class Given(Model):
    """One operation before (``given``) or as (``when``) the event under test; ``advance`` lets time pass."""

    id: str = ""
    op: str = ""
    args: Arguments = Field(default={}, alias="with")
    count: Whole = Field(default=1, gt=0)
    advance: PositiveLength | None = None
    timeout: PositiveLength = 30.0
    expect: Literal["ok", "fail", "info", "any"] = "ok"

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if bool(self.op) == (self.advance is not None):
            raise Misfit("a step has either `op` or `advance`")
        return self
