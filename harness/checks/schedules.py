"""What is known of accepted schedules: when they fire, which of them had time to and never did."""

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
    if steered(case):
        return
    periods = periods_of(case, "every", "after")
    fired = {job.schedule_id for job in case.history.of(Job)}
    end = (
        case.history.phase(PhaseName.SETTLE) or case.history.phase(PhaseName.RUN) or (0.0, case.history.end)
    )[1]
    for operation in operations:
        period = periods.get(operation.workload)
        if period is None or not adds_schedule(operation) or operation.ref in fired:
            continue
        if end - operation.end > 2 * period + SLACK:
            yield _problem(case, operation, period, end)


def steered(case: Case) -> bool:
    """Whether schedules were paused or removed, so that nobody can say when they should have fired."""
    return any(operation.op in ("schedule.pause", "schedule.remove") for operation in case.history.operations())


def adds_schedule(operation: Operation) -> bool:
    """Whether the operation made a schedule, and was told its id."""
    return operation.op == "schedule.add" and operation.status is Status.OK and bool(operation.ref)


def periods_of(case: Case, *keys: str) -> dict[str, float]:
    """In seconds, when the schedules of each workload or step fire, told by the first of `keys` that it gives."""
    items: list[Workload | Given] = [*case.scenario.workload, *case.scenario.given, *case.scenario.when]
    found: dict[str, float] = {}
    for item in items:
        value = next((item.args[key] for key in keys if key in item.args), None)
        if item.op == "schedule.add" and isinstance(value, str):
            found[item.id] = parse_duration(value)
        elif item.op == "schedule.add" and isinstance(value, int | float):
            found[item.id] = float(value)
    return found


def _problem(case: Case, operation: Operation, period: float, end: float) -> Problem:
    text = (
        f"schedule {short(operation.ref)} accepted at {moment(operation.end)} (workload {operation.workload}, "
        f"due after {lasted(period)}) has not fired by {moment(end)}{case.around.during(operation.end, end)}"
    )
    return Problem(0, operation.end, text, (("schedule", operation.ref),))
