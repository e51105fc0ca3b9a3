"""The bodies of answers that are more than one thing the service tells: pages of lists, small receipts."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.governor_base import ProcessStatus
from schedule_zero.views import HandlerView, JobView, ScheduleView, UnreadableView


class HandlerList(msgspec.Struct, frozen=True):
    """All handlers that have registered, in the order of their first registration."""

    handlers: list[HandlerView]


class JobAccepted(msgspec.Struct, frozen=True):
    """The id under which the job is found."""

    job_id: str


class JobPage(msgspec.Struct, frozen=True):
    """Jobs that have not ended, in order of arrival; `next_cursor` is null at the end. Those that cannot be read stand
    in `unreadable`.
    """

    jobs: list[JobView]
    next_cursor: str | None
    unreadable: list[UnreadableView]


class ScheduleAccepted(msgspec.Struct, frozen=True):
    """The id under which the schedule is found."""

    schedule_id: str


class SchedulePage(msgspec.Struct, frozen=True):
    """Schedules by id; `next_cursor` is null at the end. Those that cannot be read stand in `unreadable`."""

    schedules: list[ScheduleView]
    next_cursor: str | None
    unreadable: list[UnreadableView]


class ExecutionPage(msgspec.Struct, frozen=True):
    """Finished executions; `next_cursor` is null at the end."""

    executions: list[ExecutionRecord]
    next_cursor: str | None


class ExecutionStats(msgspec.Struct, frozen=True):
    """Counts of finished executions: all, by outcome, and by handler and outcome."""

    total: int
    by_outcome: dict[str, int]
    by_handler: dict[str, dict[str, int]]


class Removed(msgspec.Struct, frozen=True):
    """How many are gone."""

    removed: int


class Governed(msgspec.Struct, frozen=True, kw_only=True):
    """A process that the governor keeps; `uptime` is in seconds, `last_error` says how it last ended by itself."""

    name: str
    status: ProcessStatus
    pid: int | None
    ready: bool
    uptime: float
    restart_count: int
    last_error: str | None
    exit_code: int | None
    address: str | None


class GovernorView(msgspec.Struct, frozen=True):
    """The governor of this server and what it keeps, the server first; `running` is false where none runs it."""

    running: bool
    pid: int | None = None
    services: list[Governed] = []


class Restarted(msgspec.Struct, frozen=True):
    """Whether the handler was ready again before the governor's patience ended."""

    handler_id: str
    ready: bool


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force that are no secret. Durations are in seconds; null means unlimited."""

    deployment: str
    version: str
    http: dict[str, Any]
    zmq: dict[str, Any]
    #: Kind of store and where it lies, without a password.
    store: str
    lease: float
    max_jobs: int
    per_handler_jobs: int
    misfire_grace: float | None
    call_timeout: float
    stop_timeout: float
    heartbeat: float
    heartbeat_timeout: float
    retry: dict[str, Any]
    executions_max_age: float | None
    executions_max_count: int | None
