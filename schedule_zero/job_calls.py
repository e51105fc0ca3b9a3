"""From a stored job to the call that it stands for."""

from __future__ import annotations

import dataclasses

import msgspec
from apscheduler import Job

from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.job_executor import JobCall, RetryPolicy
from schedule_zero.requests import CallSpec
from schedule_zero.rows import SEEN
from schedule_zero.service_config import ServiceConfig


def call_of(job: Job, config: ServiceConfig) -> JobCall:
    """The call of a job, with the deployment's time-out and retries where the job names none of its own."""
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
