"""What a scenario may say to this driver: keys of ``target`` and ``topology.scheduler``, and the arguments of its
operations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.scenario.values import Duration


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetOptions(_Options):
    """Further keys of ``target:``. ``decoy_python`` puts another ``python`` first on ``PATH``, which nobody may use."""

    decoy_python: bool = False


class SchedulerOptions(_Options):
    """Keys of ``topology.scheduler``; durations with a unit."""

    store: Literal["sqlite", "memory"] = "sqlite"
    lease: Duration = Field(default=30.0, ge=1.0)
    max_jobs: int = Field(default=100, gt=0)
    per_handler_jobs: int = Field(default=16, gt=0)
    misfire_grace: Duration | None = None
    call_timeout: Duration = Field(default=30.0, gt=0)
    attempts: int = Field(default=3, gt=0)
    retry_base: Duration = 1.0
    heartbeat: Duration = 2.0
    heartbeat_timeout: Duration = 6.0


class HandlerOptions(BaseModel):
    """Further keys of ``topology.handlers``: another handler class than the worker, by ``module`` and ``class``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str = "harness.targets.schedule_zero.worker"
    cls: str = Field(default="Worker", alias="class")
    config: dict[str, Any] = {}
    """Keyword arguments of that class, besides those of every handler."""


class SubmitArgs(_Options):
    """``job.submit``: run a method of a handler once, now."""

    handler: str
    method: str
    params: dict[str, Any] = {}
    timeout: Duration | None = None
    at_most_once: bool = False


class AddScheduleArgs(_Options):
    """``schedule.add``: fire at a handler every so often, once after a delay, or by cron fields."""

    handler: str
    method: str
    params: dict[str, Any] = {}
    id: str | None = None
    every: Duration | None = Field(default=None, gt=0)
    after: Duration | None = None
    cron: dict[str, str | int] | None = None
    misfire_grace: Duration | None = None
    coalesce: Literal["earliest", "latest", "all"] | None = None
    max_running: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_trigger(self) -> AddScheduleArgs:
        if sum(t is not None for t in (self.every, self.after, self.cron)) != 1:
            raise ValueError("a schedule has exactly one of `every`, `after` and `cron`")
        return self


class ScheduleArgs(_Options):
    """``schedule.pause``, ``schedule.resume``, ``schedule.remove``: which schedule."""

    id: str


class HealthArgs(_Options):
    """Arguments of ``health.check``."""

    ready: bool = False
    """Whether a part that is not well makes the call fail (503), instead of being told in the answer."""
