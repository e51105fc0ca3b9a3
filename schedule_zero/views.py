"""What the service tells about itself: schedules, jobs, handlers and health, as typed structures that encode to
JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec
from apscheduler import Schedule

from schedule_zero.execution_log import Attempt, ExecutionRecord, Outcome
from schedule_zero.handler_registry import HandlerRecord, HandlerStatus
from schedule_zero.requests import Instant, JobState
from schedule_zero.rows import SCHEDULE_LIMIT
from schedule_zero.triggers import describe_trigger


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule; times in seconds, instants in UTC. `next_fire_time` is None when it will not fire again."""

    id: str
    handler_id: str
    job_method: str
    job_params: dict[str, Any]
    trigger: str
    paused: bool
    next_fire_time: Instant | None
    last_fire_time: Instant | None
    misfire_grace_time: float | None
    coalesce: Literal["earliest", "latest", "all"]
    max_jitter: float | None
    max_running_jobs: int | None


class JobView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job, and its outcome once it is done."""

    job_id: str
    state: JobState
    handler_id: str
    method: str
    schedule_id: str | None = None
    scheduled_for: Instant | None = None
    accepted_at: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    result: Any = None


class UnreadableView(msgspec.Struct, frozen=True):
    """A stored schedule or job that this server cannot read, and passes over: its id, and what is wrong with it."""

    id: str
    error: str


class HandlerView(msgspec.Struct, frozen=True, kw_only=True):
    """A handler as the registry sees it; `running_jobs` counts this server's calls under way.

    `pid` is the process that registered, as it said itself; a governor tells a restarted handler by it.
    """

    id: str
    address: str
    methods: tuple[str, ...]
    status: HandlerStatus
    last_seen: Instant | None
    registrations: int
    running_jobs: int
    pid: int | None = None


class PartHealth(msgspec.Struct, frozen=True):
    """Whether one part of the service works, and what it has to say."""

    ok: bool
    detail: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service works: ``degraded`` while a part of it does not. `uptime` is in seconds."""

    status: Literal["ok", "degraded", "stopping"]
    deployment: str
    uptime: float
    running_jobs: int
    scheduler_restarts: int
    parts: dict[str, PartHealth]

    @property
    def ok(self) -> bool:
        """Whether all parts work."""
        return self.status == "ok"


def schedule_view(schedule: Schedule) -> ScheduleView:
    """How a schedule of the store looks from outside."""
    grace, jitter = schedule.misfire_grace_time, schedule.max_jitter
    limit = schedule.metadata.get(SCHEDULE_LIMIT)
    return ScheduleView(
        id=schedule.id,
        handler_id=schedule.kwargs.get("handler_id", ""),
        job_method=schedule.kwargs.get("method", ""),
        job_params=schedule.kwargs.get("params", {}),
        trigger=describe_trigger(schedule.trigger),
        paused=schedule.paused,
        next_fire_time=schedule.next_fire_time,
        last_fire_time=schedule.last_fire_time,
        misfire_grace_time=None if grace is None else grace.total_seconds(),
        coalesce=cast("Any", schedule.coalesce.name),
        max_jitter=None if jitter is None else jitter.total_seconds(),
        max_running_jobs=limit if isinstance(limit, int) else None,
    )


def unreadable_views(wrong: Mapping[str, str]) -> list[UnreadableView]:
    """How the rows that cannot be read look from outside, in the order of their list."""
    return [UnreadableView(key, why) for key, why in wrong.items()]


def handler_view(record: HandlerRecord, running: Sequence[ExecutionRecord]) -> HandlerView:
    """How a handler looks from outside, with how many of the calls `running` are its own."""
    return HandlerView(
        id=record.id,
        address=record.address,
        methods=tuple(record.methods),
        status=record.status,
        last_seen=record.last_seen,
        registrations=record.registrations,
        running_jobs=sum(job.handler_id == record.id for job in running),
        pid=record.pid,
    )


def job_view(record: ExecutionRecord, state: JobState) -> JobView:
    """How a job looks from outside, by what is known of its execution."""
    return JobView(state=state, **msgspec.structs.asdict(record))
