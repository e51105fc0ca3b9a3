"""Accepted schedules that had time to fire and never did."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import Case
from harness.checks.evidence import Problem, lasted, moment, short
from harness.history.records import Job, Operation, PhaseName, Status
from harness.scenario.model import Given, Workload
from harness.scenario.values import parse_duration

SLACK = 5.0
"""Seconds beyond twice its interval that a schedule may take to fire for the first time."""


def lost_schedules(case: Case) -> Iterator[Problem]:
    """Schedules of which the scheduler's log has no job, although two intervals and `SLACK` have passed.

    Only schedules whose workload tells when they fire (``every`` or ``after``) can be judged; none is, when the
    scenario pauses or removes schedules.
    """
    operations = case.history.operations()
    if any(operation.op in ("schedule.pause", "schedule.remove") for operation in operations):
        return
    periods = dict(_periods(case))
    fired = {job.schedule_id for job in case.history.of(Job)}
    end = (
        case.history.phase(PhaseName.SETTLE) or case.history.phase(PhaseName.RUN) or (0.0, case.history.end)
    )[1]
    for operation in operations:
        period = periods.get(operation.workload)
        if period is None or not _accepted(operation) or operation.ref in fired:
            continue
        if end - operation.end > 2 * period + SLACK:
            yield _problem(case, operation, period, end)


def _accepted(operation: Operation) -> bool:
    return operation.op == "schedule.add" and operation.status is Status.OK and bool(operation.ref)


def _periods(case: Case) -> Iterator[tuple[str, float]]:
    items: list[Workload | Given] = [*case.scenario.workload, *case.scenario.given, *case.scenario.when]
    for item in items:
        text = item.args.get("every", item.args.get("after"))
        if item.op == "schedule.add" and isinstance(text, str):
            yield item.id, parse_duration(text)
        elif item.op == "schedule.add" and isinstance(text, int | float):
            yield item.id, float(text)


def _problem(case: Case, operation: Operation, period: float, end: float) -> Problem:
    text = (
        f"schedule {short(operation.ref)} accepted at {moment(operation.end)} (workload {operation.workload}, "
        f"due after {lasted(period)}) has not fired by {moment(end)}{case.around.during(operation.end, end)}"
    )
    return Problem(0, operation.end, text, (("schedule", operation.ref),))
