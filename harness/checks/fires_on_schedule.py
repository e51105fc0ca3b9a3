"""Schedules with an interval fire once for each of their times, evenly, and never stop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from harness.checks.base import Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment, short
from harness.checks.schedules import adds_schedule, periods_of, steered
from harness.history.records import Job, PhaseName

CLOCKWORK = ("scheduler", "governor", "store")
"""Places where a fault may keep schedules from firing; what is overdue is then coalesced."""
SLACK = 0.001
"""Seconds that two times may be off, besides one per cent of the interval."""


@dataclass(frozen=True)
class _Timer:
    """One schedule: `fired` has the jobs of each of its times in the run phase, in order of time."""

    id: str
    workload: str
    every: float
    accepted: float
    fired: dict[float, list[str]]
    strict: bool

    def __str__(self) -> str:
        return (
            f"schedule {short(self.id)} (workload {self.workload}, every {lasted(self.every)}, "
            f"accepted at {moment(self.accepted)})"
        )


def judge(case: Case, args: None) -> Finding:
    """Compare the times of the jobs of each schedule with its interval, as the scenario gives it.

    That no time has two jobs is always demanded. Even gaps and their number are not: for a schedule accepted
    twice, where schedules are paused or removed, where life cycles stop the target, and across faults at the
    scheduler, its governor or its store.
    """
    timers = list(_timers(case))
    problems = [problem for timer in timers for problem in _twice(case, timer)]
    blind = case.around.unseen("collect files", "collect")
    if not blind:
        strict = [timer for timer in timers if timer.strict]
        problems += [problem for timer in strict for problem in (*_uneven(case, timer), *_too_few(case, timer))]
    fired = sum(len(timer.fired) for timer in timers)
    broken = sorted({dict(problem.data)["schedule"] for problem in problems})
    return conclude(
        problems,
        samples=fired,
        broken=f"{len(broken)} of {many(len(timers), 'schedule')} did not fire on schedule",
        good=f"{many(len(timers), 'schedule')} fired {many(fired, 'time')}, all on schedule",
        nothing=(
            "no schedule was due in the run phase, so nothing was proven"
            if timers
            else "no schedule with `every` was accepted, so nothing was proven"
        ),
        doubts=[Problem(0, case.history.end, blind)] if blind else (),
    )


def _timers(case: Case) -> Iterator[_Timer]:
    periods = periods_of(case, "every")
    added = [o for o in case.history.operations() if adds_schedule(o) and periods.get(o.workload, 0.0) > 0]
    even = not steered(case) and case.scenario.cycles is None
    fired = _fired(case)
    for operation in {operation.ref: operation for operation in reversed(added)}.values():
        once = sum(1 for other in added if other.ref == operation.ref) == 1
        every, times = periods[operation.workload], fired.get(operation.ref, {})
        yield _Timer(operation.ref, operation.workload, every, operation.end, times, even and once)


def _fired(case: Case) -> dict[str, dict[float, list[str]]]:
    """By schedule and time, the jobs that were due in the run phase."""
    begin, end = _run(case)
    found: dict[str, dict[float, list[str]]] = {}
    due = [(job.scheduled_for, job) for job in case.history.of(Job) if job.scheduled_for is not None]
    for at, job in sorted(due, key=lambda item: (item[0], item[1].job_id)):
        if job.schedule_id and begin <= at <= end:
            jobs = found.setdefault(job.schedule_id, {}).setdefault(at, [])
            if job.job_id not in jobs:
                jobs.append(job.job_id)
    return found


def _run(case: Case) -> tuple[float, float]:
    return case.history.phase(PhaseName.RUN) or (0.0, case.history.end)


def _twice(case: Case, timer: _Timer) -> Iterator[Problem]:
    for at, jobs in timer.fired.items():
        if len(jobs) > 1:
            named = ", ".join(short(job) for job in jobs[:4]) + (", …" if len(jobs) > 4 else "")
            text = f"{timer} has {len(jobs)} jobs for {moment(at)}, expected 1: {named}{case.around.during(at, at)}"
            yield Problem(0, at, text, (("schedule", timer.id), ("jobs", jobs)))


def _uneven(case: Case, timer: _Timer) -> Iterator[Problem]:
    allowed = SLACK + timer.every / 100
    for before, after in pairwise(timer.fired):
        gap = after - before
        if abs(gap - timer.every) > allowed and not case.around.struck(before, after, CLOCKWORK):
            text = (
                f"{timer} fired for {moment(before)} and next for {moment(after)}, {lasted(gap)} later, "
                f"expected {lasted(timer.every)}{case.around.during(before, after)}"
            )
            yield Problem(2, after, text, (("schedule", timer.id), ("expected", timer.every), ("seen", gap)))


def _too_few(case: Case, timer: _Timer) -> Iterator[Problem]:
    begin, end = _run(case)
    since = max(begin, timer.accepted)
    fewest = math.floor((end - since) / timer.every) - 1
    if len(timer.fired) >= fewest or case.around.struck(since, end, CLOCKWORK):
        return
    last = max(timer.fired, default=None)
    told = f", for the last time for {moment(last)}" if last is not None else ""
    text = (
        f"{timer} fired {many(len(timer.fired), 'time')} by {moment(end)}{told}; expected at least {fewest}"
        f"{case.around.during(since, end)}"
    )
    about = (("schedule", timer.id), ("expected", fewest), ("seen", len(timer.fired)))
    yield Problem(1, last if last is not None else timer.accepted, text, about)


CHECK = Check(
    name="fires-on-schedule",
    about="a schedule with an interval fires once for each of its times, evenly, all through the run",
    judge=judge,
)
