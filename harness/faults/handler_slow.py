"""``handler.slow``: a handler takes longer over every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from harness.faults.base import Args
from harness.faults.handler_behaviour import HandlerBehaviour
from harness.mocks.behaviours import Behaviour, Slow, percentiles
from harness.scenario.values import Duration


class SlowArgs(Args):
    """Arguments of `HandlerSlow`: log-normal through the percentiles, or constant when ``p99`` is missing."""

    p50: Duration = Field(gt=0)
    """The median, in seconds."""
    p99: Duration | None = Field(default=None, gt=0)
    """The 99th percentile, in seconds."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.p99 is not None and self.p99 < self.p50:
            raise ValueError(f"p99 ({self.p99:g} s) must not lie below p50 ({self.p50:g} s)")
        return self


class HandlerSlow(HandlerBehaviour[SlowArgs]):
    """Have a handler take this long before it does what it would have done."""

    kind: ClassVar[str] = "handler.slow"
    about: ClassVar[str] = "a handler takes longer over every call, constant or log-normal"
    args_model: ClassVar[type[Args]] = SlowArgs

    def value(self) -> Mapping[str, Any]:
        """``{"slow": {"p50": seconds, "p99": seconds}}``."""
        return {"slow": self.args.model_dump(mode="python", exclude_none=True)}

    def behaviour(self, before: Behaviour) -> Behaviour:
        """What it did before, only later."""
        return Slow(percentiles(self.args.p50, self.args.p99), before)
