"""What a workload may ask of the scheduler, each as one request of its HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from harness.history.records import Status
from harness.targets.base import OpSpec, Reply
from harness.targets.schedule_zero.api import Answer, ApiClient
from harness.targets.schedule_zero.options import AddScheduleArgs, HealthArgs, ScheduleArgs, SubmitArgs

OPS: Mapping[str, OpSpec] = {
    spec.name: spec
    for spec in (
        OpSpec("job.submit", "run a method of a handler once, now", SubmitArgs),
        OpSpec("schedule.add", "fire at a handler every so often, once later, or by cron", AddScheduleArgs),
        OpSpec("schedule.pause", "pause a schedule", ScheduleArgs),
        OpSpec("schedule.resume", "resume a paused schedule", ScheduleArgs),
        OpSpec("schedule.remove", "remove a schedule", ScheduleArgs),
        OpSpec("health.check", "ask for health", HealthArgs),
    )
}

Request = tuple[str, str, Any]


def _submit(args: SubmitArgs) -> Request:
    body: dict[str, Any] = {"handler_id": args.handler, "job_method": args.method, "job_params": args.params}
    if args.timeout is not None:
        body["timeout"] = args.timeout
    if args.at_most_once:
        body["at_most_once"] = True
    return "POST", "/api/run_now", body


def _trigger(args: AddScheduleArgs) -> dict[str, Any]:
    if args.every is not None:
        return {"type": "interval", "seconds": int(args.every), "microseconds": round(args.every % 1 * 1e6)}
    if args.after is not None:
        return {"type": "date", "run_date": (datetime.now(UTC) + timedelta(seconds=args.after)).isoformat()}
    return {"type": "cron", **(args.cron or {})}


def _add_schedule(args: AddScheduleArgs) -> Request:
    optional = {
        "job_id": args.id,
        "misfire_grace_time": args.misfire_grace,
        "coalesce": args.coalesce,
        "max_running_jobs": args.max_running,
    }
    body = {
        "handler_id": args.handler,
        "job_method": args.method,
        "job_params": args.params,
        "trigger": _trigger(args),
        **{key: value for key, value in optional.items() if value is not None},
    }
    return "POST", "/api/schedule", body


_REQUESTS: Mapping[str, Callable[[Any], Request]] = {
    "job.submit": _submit,
    "schedule.add": _add_schedule,
    "schedule.pause": lambda args: ("PATCH", f"/api/schedules/{args.id}", {"paused": True}),
    "schedule.resume": lambda args: ("PATCH", f"/api/schedules/{args.id}", {"paused": False}),
    "schedule.remove": lambda args: ("DELETE", f"/api/schedules/{args.id}", None),
    "health.check": lambda args: ("GET", "/api/health?ready=1" if args.ready else "/api/health", None),
}


async def perform(api: ApiClient, base: str, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
    """Make operation `op` against the server at `base`; `timeout` in seconds."""
    parsed: BaseModel = OPS[op].args.model_validate(dict(args))
    method, path, body = _REQUESTS[op](parsed)
    answer = await api.request(method, base + path, body, timeout=timeout)
    return Reply(answer.status, _reference(answer), answer.error, {"code": answer.code})


def _reference(answer: Answer) -> str:
    if answer.status is not Status.OK or not isinstance(answer.body, dict):
        return ""
    for key in ("job_id", "schedule_id", "id"):
        if isinstance(answer.body.get(key), str):
            return str(answer.body[key])
    return ""
