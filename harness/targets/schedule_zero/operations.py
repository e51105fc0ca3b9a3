"""What a workload may ask of the scheduler, each as one request of its HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from harness.history.records import Status
from harness.targets.apscheduler import specs
from harness.targets.apscheduler.moments import wall
from harness.targets.apscheduler.notes import Notes
from harness.targets.base import OpSpec, Reply
from harness.targets.schedule_zero.api import Answer, ApiClient
from harness.targets.schedule_zero.options import (
    AddScheduleArgs,
    AwayArgs,
    HealthArgs,
    IntrudeArgs,
    ScheduleArgs,
    SubmitArgs,
)
from harness.targets.schedule_zero.triggers import spoken

OPS: Mapping[str, OpSpec] = {
    spec.name: spec
    for spec in (
        OpSpec("job.submit", "run a method of a handler once, now", SubmitArgs),
        OpSpec("schedule.add", "call a handler whenever a trigger says so", AddScheduleArgs),
        OpSpec("schedule.pause", "pause a schedule", ScheduleArgs),
        OpSpec("schedule.resume", "resume a paused schedule", ScheduleArgs),
        OpSpec("schedule.remove", "remove a schedule", ScheduleArgs),
        OpSpec("health.check", "ask for health", HealthArgs),
        OpSpec("intruder.try", "try to get in without the right to; well done when refused", IntrudeArgs),
        OpSpec("scheduler.restart", "stop governor, server and handlers in good order, and start them again", AwayArgs),
        OpSpec("scheduler.kill", "end all of them at once by SIGKILL, and start them again", AwayArgs),
    )
}
LIFE = frozenset(name for name in OPS if name.startswith("scheduler."))
"""Operations that begin and end the deployment's life: its API cannot be asked for them."""

INTRUDE = "intruder.try"
"""Speaks as somebody else than the harness does."""

Request = tuple[str, str, Any]


def _submit(args: SubmitArgs) -> Request:
    body: dict[str, Any] = {"handler_id": args.handler, "job_method": args.method, "job_params": args.params}
    if args.timeout is not None:
        body["timeout"] = args.timeout
    if args.at_most_once:
        body["at_most_once"] = True
    return "POST", "/api/run_now", body


def _add_schedule(args: AddScheduleArgs, told: Mapping[str, Any]) -> Request:
    body: dict[str, Any] = {
        "handler_id": args.handler,
        "job_method": args.method,
        "job_params": args.params,
        "job_id": told["id"],
        "trigger": spoken(told["trigger"]),
        "coalesce": args.coalesce,
        "conflict_policy": args.conflict,
        "paused": args.paused,
    }
    optional = {"misfire_grace_time": told["misfire_grace"] and told["misfire_grace"] / 1e6,
                "max_running_jobs": args.max_running, "max_jitter": args.jitter or None}  # fmt: skip
    return "POST", "/api/schedule", body | {key: value for key, value in optional.items() if value is not None}


_REQUESTS: Mapping[str, Callable[[Any], Request]] = {
    "job.submit": _submit,
    "schedule.pause": lambda args: ("PATCH", f"/api/schedules/{args.id}", {"paused": True}),
    "schedule.resume": lambda args: ("PATCH", f"/api/schedules/{args.id}", {"paused": False}),
    "schedule.remove": lambda args: ("DELETE", f"/api/schedules/{args.id}", None),
    "health.check": lambda args: ("GET", "/api/health?ready=1" if args.ready else "/api/health", None),
}


class Operations:
    """Makes operations of one run, and notes what they do to schedules; `grace` (seconds) holds where none is given."""

    def __init__(self, api: ApiClient, notes: Notes, *, grace: float | None) -> None:
        self._api, self._notes, self._grace = api, notes, grace
        self._count = 0

    async def perform(self, bases: Sequence[str], op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Make operation `op` against the first server of `bases` that can be reached; `timeout` in seconds."""
        parsed: BaseModel = OPS[op].args.model_validate(dict(args))
        try:
            told = self._told(parsed)
        except ValueError as error:
            return Reply(Status.FAIL, error=str(error))
        if isinstance(parsed, AddScheduleArgs):
            method, path, body = _add_schedule(parsed, told)
        else:
            method, path, body = _REQUESTS[op](parsed)
        begun = self._notes.begin(op, told)
        answer = await self._api.anywhere(bases, method, path, body, timeout=timeout)
        reply = Reply(answer.status, _reference(answer), answer.error, {"code": answer.code})
        self._notes.end(op, told, reply, begun)
        return reply

    def _told(self, parsed: BaseModel) -> dict[str, Any]:
        """What the model of fire times is to know, durations in µs."""
        if not isinstance(parsed, AddScheduleArgs):
            return parsed.model_dump()
        self._count += 1
        grace = parsed.misfire_grace if parsed.misfire_grace is not None else self._grace
        return {
            "id": parsed.id or f"s{self._count}",
            # What clocks skip is owed: unlike APScheduler it is documented to be made up for.
            "trigger": {**specs.trigger(parsed, wall() - specs.micros(parsed.since)), "makes_up": True},
            "coalesce": parsed.coalesce,
            "misfire_grace": None if grace is None else specs.micros(grace),
            "jitter": specs.micros(parsed.jitter),
            "max_running": parsed.max_running,
            "paused": parsed.paused,
            "conflict": parsed.conflict,
        }


def _reference(answer: Answer) -> str:
    if answer.status is not Status.OK or not isinstance(answer.body, dict):
        return ""
    for key in ("job_id", "schedule_id", "id"):
        if isinstance(answer.body.get(key), str):
            return str(answer.body[key])
    return ""
