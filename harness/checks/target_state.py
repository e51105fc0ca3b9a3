"""The state the target is in when the run has settled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.checks.base import Args, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many, moment
from harness.history.records import PhaseName, Process, ProcessEvent, Sample

STALE = 3.0
"""Seconds before the end of a phase beyond which the last sample says nothing about its end."""


class RegisteredHandlers(Args):
    """How many handlers must be registered in the end."""

    count: int = Field(ge=0)


class Scheduler(Args):
    """What the scheduler's process must be in the end."""

    state: Literal["alive"] = "alive"


def registered_handlers(case: Case, args: RegisteredHandlers) -> Finding:
    """The last ``registered-handlers`` sample of the settling phase (or else of the run) is the count."""
    phase = case.history.phase(PhaseName.SETTLE) or case.history.phase(PhaseName.RUN)
    begin, end = phase or (0.0, case.history.end)
    seen = [s for s in case.history.of(Sample) if s.name == "registered-handlers" and begin <= s.at <= end]
    # Samples of one instant have no order, so all of the last instant must agree.
    last = [sample for sample in seen if sample.at == seen[-1].at]
    wrong = sorted({sample.value for sample in last if sample.value != args.count})
    problems = [
        Problem(
            0,
            last[0].at,
            f"{value:g} of {many(args.count, 'handler')} were registered at {moment(last[0].at)}, "
            f"when the run had settled{case.around.during(begin, last[0].at)}",
        )
        for value in wrong
    ]
    stale = [
        Problem(
            0,
            sample.at,
            f"{sample.value:g} were registered at {moment(sample.at)}, then nothing answered until the end",
        )
        for sample in last[:1]
        if end - sample.at > STALE
    ]
    return conclude(
        problems,
        samples=len(seen),
        doubts=stale,
        broken=f"{wrong[0]:g} handlers were registered in the end, {args.count} expected" if wrong else "",
        good=f"{many(args.count, 'handler')} registered in the end",
        nothing="the number of registered handlers was never seen after the run, so nothing was proven",
    )


def scheduler(case: Case, args: Scheduler) -> Finding:
    """The scheduler's process was started, and if it exited before the teardown, it was started again."""
    teardown = case.history.phase(PhaseName.TEARDOWN)
    end = teardown[0] if teardown else case.history.end
    life = [p for p in case.history.of(Process) if p.name == "scheduler" and p.at < end]
    exits = [process for process in life if process.event is ProcessEvent.EXITED]
    alive = {process.pid for process in life} - {process.pid for process in exits}
    dead = exits[-1:] if not alive else []
    problems = [
        Problem(
            0,
            gone.at,
            f"the scheduler (pid {gone.pid}) ended at {moment(gone.at)} with exit code {gone.code} "
            f"and did not come back{case.around.during(gone.at, gone.at, ('scheduler',))}",
        )
        for gone in dead
    ]
    return conclude(
        problems,
        samples=len(life),
        broken="the scheduler was dead in the end",
        good="the scheduler was alive in the end",
        nothing="nothing was recorded about the scheduler's process",
    )


CHECKS = (
    Check(
        name="registered-handlers",
        about="how many handlers are registered when the run has settled",
        judge=registered_handlers,
        args=RegisteredHandlers,
    ),
    Check(
        name="scheduler", about="the scheduler's process is alive in the end", judge=scheduler, args=Scheduler
    ),
)
