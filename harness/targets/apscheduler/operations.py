"""What a workload may ask of the scheduler, and how each question is put to its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.scenario.values import Duration
from harness.targets.apscheduler import specs
from harness.targets.apscheduler.options import (
    AddTriggeredArgs,
    DownArgs,
    JobArgs,
    NoArgs,
    ResumeArgs,
    ScheduleArgs,
)
from harness.targets.base import OpSpec

OPS: Mapping[str, OpSpec] = {
    spec.name: spec
    for spec in (
        OpSpec("schedule.add", "run a task whenever a trigger says so", AddTriggeredArgs),
        OpSpec("schedule.pause", "pause a schedule", ScheduleArgs),
        OpSpec("schedule.resume", "resume a paused schedule", ResumeArgs),
        OpSpec("schedule.remove", "remove a schedule", ScheduleArgs),
        OpSpec("job.submit", "run a task once, now; answered at once", JobArgs),
        OpSpec("job.run", "run a task once, now; answered when it is done", JobArgs),
        OpSpec("scheduler.stop", "end the scheduler in good order; what is due meanwhile is missed", NoArgs),
        OpSpec("scheduler.start", "start a scheduler that was stopped or killed", NoArgs),
        OpSpec("scheduler.restart", "end it in good order and start it again", DownArgs),
        OpSpec("scheduler.kill", "end its process by SIGKILL; with `down` it is started again", DownArgs),
        OpSpec("health.check", "ask the scheduler for its state", NoArgs),
    )
}
LIFE = frozenset(name for name in OPS if name.startswith("scheduler."))
"""Operations that begin or end the scheduler's life: its host cannot answer them."""


def question(args: AddTriggeredArgs | JobArgs, *, name: str, now: int, grace: Duration | None) -> dict[str, Any]:
    """The arguments of ``schedule.add``, ``job.submit`` or ``job.run`` as its host takes them.

    `name` is the schedule's when it has none, `now` in µs since 1970, `grace` (seconds) holds where none is given.
    Raises `ValueError` for a trigger that does not exist.
    """
    asked = {"call": args.call, "params": args.params, "executor": args.executor, "max_running": args.max_running}
    if isinstance(args, JobArgs):
        return asked
    wait = args.misfire_grace if args.misfire_grace is not None else grace
    return {
        **asked,
        "id": args.id or name,
        "trigger": specs.trigger(args, now),
        "coalesce": args.coalesce,
        "misfire_grace": None if wait is None else specs.micros(wait),
        "jitter": specs.micros(args.jitter),
        "paused": args.paused,
        "conflict": args.conflict,
    }
