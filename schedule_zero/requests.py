"""What clients ask of the service, as typed structures: the HTTP API decodes into them, other callers build
them.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schedule_zero.errors import ProtocolError
from schedule_zero.patterns import ID
from schedule_zero.refusals import InvalidRequest
from schedule_zero.wire import require_json

Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=ID)]
#: An instant with its offset, as ISO 8601.
Instant = Annotated[datetime, Meta(tz=True)]
Positive = Annotated[float, Meta(gt=0, le=31_536_000)]
NotNegative = Annotated[float, Meta(ge=0, le=31_536_000)]


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job's own retry policy; the fields are those of `job_executor.RetryPolicy`, seconds where times are
    meant.
    """

    attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    base: NotNegative = 1.0
    factor: Annotated[float, Meta(ge=1, le=100)] = 2.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.5
    retry_errors: bool = False


class RunNow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A job to run at once. `timeout` bounds an attempt, `deadline` all attempts together, in seconds.

    Example:
        >>> RunNow(handler_id="h1", job_method="echo", job_params={"text": "hi"}).at_most_once
        False
    """

    handler_id: Id
    job_method: Id
    job_params: dict[str, Any] = {}
    timeout: Positive | None = None
    deadline: Positive | None = None
    retry: Retry | None = None
    at_most_once: bool = False
    idempotency_key: Id | None = None


class NewSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A schedule to add. `job_id` is the id that the schedule gets (a new one if absent); times are in seconds.

    `misfire_grace_time` left out takes the deployment's; null means that a late run is made up for however
    late. `max_running_jobs` limits this schedule's own jobs, beside the limit of its handler. With
    `conflict_policy` ``exception`` a taken id is refused, with ``do_nothing`` the schedule that is there stays,
    with ``replace`` it goes.
    """

    handler_id: Id
    job_method: Id
    trigger: dict[str, Any]
    job_params: dict[str, Any] = {}
    job_id: Id | None = None
    misfire_grace_time: Positive | msgspec.UnsetType | None = msgspec.UNSET
    coalesce: Literal["earliest", "latest", "all"] = "latest"
    max_running_jobs: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    max_jitter: NotNegative | None = None
    paused: bool = False
    conflict_policy: Literal["exception", "do_nothing", "replace"] = "exception"
    timeout: Positive | None = None
    deadline: Positive | None = None
    retry: Retry | None = None
    at_most_once: bool = False
    idempotency_key: Id | None = None


class ScheduleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change to a schedule: pause or resume it, or give it another trigger."""

    paused: bool | None = None
    trigger: dict[str, Any] | None = None


class CallSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stored job says about its call: the keyword arguments of the APScheduler job."""

    handler_id: str
    method: str
    params: dict[str, Any] = {}
    timeout: float | None = None
    deadline: float | None = None
    retry: Retry | None = None
    at_most_once: bool = False


class JobState(enum.Enum):
    """Where a job stands: accepted and waiting, being called, or ended with an outcome."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


def call_kwargs(request: RunNow | NewSchedule) -> dict[str, Any]:
    """The keyword arguments of the job that the request makes.

    Raises `InvalidRequest` for parameters that are not JSON, which a caller in Python can give.
    """
    spec = CallSpec(
        handler_id=request.handler_id,
        method=request.job_method,
        params=request.job_params,
        timeout=request.timeout,
        deadline=request.deadline,
        retry=request.retry,
        at_most_once=request.at_most_once,
    )
    try:
        kwargs: dict[str, Any] = msgspec.to_builtins(spec)
        require_json(request.job_params, "this")
    except (ProtocolError, TypeError, RecursionError) as error:
        raise InvalidRequest("job_params", str(error)) from None
    return kwargs
