"""The parts of a scenario that say to what it is done: ``target`` with its governor, ``topology``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.scenario.misfit import Misfit
from harness.scenario.parts import Model, OpenModel, Whole
from harness.scenario.values import Length


class GovernorSpec(OpenModel):
    """Who keeps the target's parts alive, and how: each as a process of its own, or all as threads of one."""

    kind: Literal["process", "thread"] = "process"
    restart: Literal["always", "on-failure", "never"] = "on-failure"
    max_restarts: Whole = Field(default=3, ge=0)
    restart_delay: Length = 0.5


class TargetSpec(OpenModel):
    """The system under test: a registered driver, its governor, and options of the driver's own."""

    driver: str
    governor: GovernorSpec = GovernorSpec()


class Service(Model):
    """Seconds a mock handler works on a call: log-normal through these percentiles, constant if equal."""

    p50: Length
    p99: Length | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.p99 is not None and self.p99 < self.p50:
            raise Misfit("p99 lies below p50", at=("p99",))
        return self


def _service(value: Any) -> Any:
    return value if isinstance(value, dict | Service) else {"p50": value}


class HandlerGroup(OpenModel):
    """``count`` handlers named after the pattern ``name``, where ``{n}`` counts from 1."""

    name: str = Field(default="h{n}", pattern=r"^[A-Za-z0-9._\-{}]+$")
    count: Whole = Field(default=1, gt=0, le=1000)
    mock: str = "worker"
    service: Annotated[Service, BeforeValidator(_service, json_schema_input_type=Length | Service)] = Service(
        p50=0.0
    )
    concurrency: Whole = Field(default=4, gt=0)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if self.count > 1 and "{n}" not in self.name:
            raise Misfit(
                f"{self.count} handlers would share one name",
                expected="{n} in the name",
                found=self.name,
                at=("name",),
            )
        return self

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

    scheduler: dict[str, Any] = Field(default={})
    handlers: Annotated[
        tuple[HandlerGroup, ...],
        BeforeValidator(_as_tuple, json_schema_input_type=HandlerGroup | tuple[HandlerGroup, ...]),
    ] = ()

    def handler_names(self) -> tuple[str, ...]:
        """All handlers, in order."""
        return tuple(name for group in self.handlers for name in group.names())
