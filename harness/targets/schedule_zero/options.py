"""What a scenario may say to this driver: keys of ``target`` and ``topology.scheduler``, and the arguments of its
operations."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.scenario.parts import World
from harness.scenario.values import Duration
from harness.scenario.vocabulary import ONLY_IN
from harness.targets.apscheduler.options import TriggerArgs

MOST_SERVERS = 3
"""Servers that a scenario may have."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetOptions(_Options):
    """Further keys of ``target:``. ``decoy_python`` puts another ``python`` first on ``PATH``, which nobody may use."""

    decoy_python: bool = False


class SchedulerOptions(_Options):
    """Keys of ``topology.scheduler``; durations with a unit."""

    store: Literal["sqlite", "memory", "postgres"] = Field(
        default="sqlite", json_schema_extra={ONLY_IN: {"postgres": [World.REAL.value]}}
    )
    """``postgres`` is for the real world alone: a server of the run's own, or ``database_url``."""
    database_url: str | None = None
    """A PostgreSQL to be used; a run's folder tells it, so one with a password belongs in ``HARNESS_POSTGRES_URL``."""
    servers: int = Field(default=1, ge=1, le=MOST_SERVERS)
    """Servers that share a PostgreSQL: ``scheduler``, ``scheduler2``, each with a governor of its own."""
    lease: Duration = Field(default=30.0, ge=1.0)
    max_jobs: int = Field(default=100, gt=0)
    per_handler_jobs: int = Field(default=16, gt=0)
    misfire_grace: Duration | None = None
    call_timeout: Duration = Field(default=30.0, gt=0)
    attempts: int = Field(default=3, gt=0)
    retry_base: Duration = 1.0
    heartbeat: Duration = 2.0
    heartbeat_timeout: Duration = 6.0
    security: Literal["none", "tokens", "keys"] = Field(
        default="none", json_schema_extra={ONLY_IN: {"keys": [World.REAL.value]}}
    )
    """Who is asked: nobody; clients of the API, for tokens; and in the real world also all over ZeroMQ, for keys."""

    @model_validator(mode="after")
    def _share_what_can_be_shared(self) -> SchedulerOptions:
        if self.store != "postgres" and (self.servers > 1 or self.database_url):
            raise ValueError("`servers` and `database_url` are for `store: postgres`")
        return self


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


class AddScheduleArgs(TriggerArgs):
    """``schedule.add``: call a method of a handler whenever a trigger says so."""

    handler: str
    method: str
    params: dict[str, Any] = Field(default={})
    id: str | None = None
    misfire_grace: Duration | None = None
    coalesce: Literal["earliest", "latest", "all"] = "latest"
    max_running: int | None = Field(default=None, gt=0)
    jitter: Duration = Field(default=0.0, ge=0)
    paused: bool = False
    conflict: Literal["exception", "do_nothing", "replace"] = "exception"
    since: Duration = Field(default=0.0, ge=0)
    """For how long it would have fired already, had it been there: its trigger begins so long ago."""

    @model_validator(mode="after")
    def _one_that_it_knows(self) -> AddScheduleArgs:
        if self.all_of or self.any_of:
            raise ValueError("schedule_zero has no combined triggers: use `every`, `after`, `at`, `cron` or `calendar`")
        return self


class ScheduleArgs(_Options):
    """``schedule.pause``, ``schedule.resume``, ``schedule.remove``: which schedule."""

    id: str


class HealthArgs(_Options):
    """Arguments of ``health.check``."""

    ready: bool = False
    """Whether a part that is not well makes the call fail (503), instead of being told in the answer."""


class Way(StrEnum):
    """How somebody tries to get in: the first six over HTTP, the others over ZeroMQ."""

    NO_BEARER = "no-token"
    WRONG_BEARER = "wrong-token"
    READER_WRITES = "reader-writes"
    WRITER_ADMINISTERS = "writer-administers"
    FOREIGN_PAGE = "foreign-page"
    FOREIGN_HOST = "foreign-host"
    PLAIN_REGISTRATION = "plain-registration"
    UNKNOWN_KEY = "unknown-key"
    ANOTHERS_NAME = "anothers-name"
    PLAIN_CALL = "plain-call"
    STRANGER_CALLS = "stranger-calls"


class IntrudeArgs(_Options):
    """``intruder.try``: get in at a handler's expense, without the right to; it goes well when it is refused."""

    way: Way
    handler: str
    other: str = ""
    """For ``anothers-name``: whose key is shown."""

    @model_validator(mode="after")
    def _shows_a_key(self) -> IntrudeArgs:
        if (self.way is Way.ANOTHERS_NAME) != bool(self.other):
            raise ValueError("`other` says whose key is shown, for `way: anothers-name` and no other")
        return self


class AwayArgs(_Options):
    """``scheduler.restart`` and ``scheduler.kill``: for how long nothing of the deployment runs."""

    down: Duration = Field(default=0.0, ge=0)
