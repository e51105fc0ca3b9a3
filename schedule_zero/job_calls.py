"""From a stored job to the call that it stands for."""

from __future__ import annotations

import dataclasses
from functools import partial

import msgspec
from apscheduler import Job

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.job_executor import JobCall, RetryPolicy
from schedule_zero.requests import CallSpec
from schedule_zero.rows import SEEN
from schedule_zero.service_config import ServiceConfig
from schedule_zero.takings import UNDER_WAY, takings


def call_of(job: Job, config: ServiceConfig) -> JobCall:
    """The call of a job, with the deployment's time-out and retries where the job names none of its own.

    Whether it is under way is noted in the job's metadata, for the store to which it may be given back.
    """
    *earlier, present = takings(job.metadata) or (None,)
    spec = msgspec.convert(job.kwargs, CallSpec)
    policy = spec.retry or config.retry
    fields = {field.name: getattr(policy, field.name) for field in dataclasses.fields(RetryPolicy)}
    return JobCall(
        job_id=str(job.id),
        handler_id=spec.handler_id,
        method=spec.method,
        params=spec.params,
        schedule_id=job.schedule_id,
        scheduled_for=job.scheduled_fire_time,
        accepted_at=job.created_at,
        deadline=spec.deadline,
        timeout=spec.timeout or config.call_timeout,
        policy=RetryPolicy(**fields),
        at_most_once=spec.at_most_once,
        seen=bool(job.metadata.get(SEEN, True)),
        earlier=tuple(taking for taking in earlier if taking is not None),
        noted=present is None or bool(present.incarnation),
        under_way=partial(job.metadata.__setitem__, UNDER_WAY),
    )


def waiting_record(job: Job) -> ExecutionRecord:
    """What can be said of a job whose execution has not begun."""
    return ExecutionRecord(
        job_id=str(job.id),
        handler_id=str(job.kwargs.get("handler_id", "")),
        method=str(job.kwargs.get("method", "")),
        schedule_id=job.schedule_id,
        scheduled_for=job.scheduled_fire_time,
        accepted_at=job.created_at,
    )
