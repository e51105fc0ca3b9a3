"""Schedules fire when the reference model says that they must, and never when it says that they must not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from harness.checks.base import Args, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment, short
from harness.checks.fire_model_events import SECOND, Timeline, Told, read, skipped
from harness.checks.fire_slots import Slots, of_schedule, of_scheduler
from harness.history.records import Job
from harness.models.fires import Demand, Expected, expected
from harness.models.readiness import Window, window
from harness.models.triggers import Fire, parse
from harness.scenario.values import Duration

SAME = SECOND // 200
"""µs by which a job may be off the time it is for: clocks are read one after the other."""
MISSED = ("missed_start_deadline", "missed")
"""What schedulers call the outcome of a job that was not begun in time."""
_EXTRA, _DOUBLE, _MISSING, _MISFIRE, _EARLY, _CROWD, _LATE = range(7)


class FireArgs(Args):
    """How late a scheduler that works may be."""

    within: Duration = Field(default=0.5, gt=0)
    """Seconds in which a schedule that is due is dealt with and its job begun, where a slot is free."""


def judge(case: Case, args: FireArgs) -> Finding:
    """Compare the jobs of each schedule with the times of its trigger.

    Times that became due while the scheduler was down or the schedule paused are coalesced, skipped or too late as the
    schedule says. What can be owed to a fault, a kill or an unanswered call is not held against it.
    """
    lag = round(args.within * SECOND)
    told = read(case, lag)
    if told is None or not told.schedules:
        return conclude((), samples=0, broken="", good="", nothing="no schedule was accepted, so nothing was proven")
    if told.doubt:
        return conclude((), samples=0, broken="", good="", nothing="", doubts=[Problem(0, 0.0, told.doubt)])
    blind = case.around.unseen("collect files", "collect")
    problems: list[Problem] = []
    owed = fired = 0
    slots = of_scheduler(case, told.max_jobs, told.downs)
    for timeline in told.schedules:
        one = _OneSchedule(case, told, timeline, lag, slots)
        problems += one.problems(blind=bool(blind))
        owed += sum(item.job is Demand.MUST for item in one.expected)
        fired += len(one.jobs)
    return conclude(
        problems,
        samples=owed + fired,
        broken=_summary(problems, told),
        good=f"{many(len(told.schedules), 'schedule')} fired {many(fired, 'time')}, as the model says "
        f"({owed} of them had to)",
        nothing="no schedule was due, so nothing was proven",
        doubts=[Problem(0, case.history.end, blind)] if blind else (),
    )


def _summary(problems: Sequence[Problem], told: Told) -> str:
    words = ("fired without reason", "fired twice", "missing", "wrongly run or dropped", "run too early", "run at once",
             "begun late")  # fmt: skip
    counts = [(sum(problem.rank == rank for problem in problems), word) for rank, word in enumerate(words)]
    crashed = f"; the scheduler crashed: {told.crashes[0]}" if told.crashes else ""
    return ", ".join(f"{count} {word}" for count, word in counts if count) + crashed


class _OneSchedule:
    """One schedule: what was expected of it, and the jobs it made."""

    def __init__(self, case: Case, told: Told, timeline: Timeline, lag: int, slots: Slots) -> None:
        self._case, self._told, self._timeline, self._lag, self._all = case, told, timeline, lag, slots
        self._horizon = told.clock.wall(case.history.end)
        self._gate = timeline.gate(told.up)
        self.expected = list(self._expect())
        jobs = [job for job in case.history.of(Job) if job.schedule_id == timeline.id and job.scheduled_for is not None]
        self.jobs = sorted(jobs, key=lambda job: (job.scheduled_for or 0.0, job.job_id))
        self._own = of_schedule(case, timeline.max_running, {job.job_id for job in jobs})

    def _expect(self) -> Iterator[Expected]:
        fires = list(parse(self._timeline.trigger).fires(self._horizon))
        left = [fire for fire in fires if not self._left_out(fire, sure=True)]
        for item in expected(left, self._gate, self._timeline.policy, self._lag, self._horizon):
            doubted = item.job is Demand.MUST and self._left_out(Fire(item.at), sure=False)
            yield replace(item, job=Demand.MAY, run=Demand.MAY, why="it may have been skipped") if doubted else item

    def _left_out(self, fire: Fire, *, sure: bool) -> bool:
        """Whether a resumption certainly (or possibly) skipped it."""
        if not self._timeline.skipped:
            return False
        found = list(skipped(self._timeline, fire.at, window(self._gate, fire.at, 0).earliest))
        return any(found) if sure else bool(found)

    def problems(self, *, blind: bool) -> Iterator[Problem]:
        """Everything about this schedule that is not as it must be."""
        seen: dict[int, list[Job]] = {}
        times = [item.at for item in self.expected]
        for job in self.jobs:
            at = self._told.clock.wall(job.scheduled_for or 0.0)
            index = bisect_right(times, at + SAME) - 1
            if index < 0 or at - times[index] > self._timeline.policy.jitter + SAME:
                yield self._problem(_EXTRA, at, f"has a job for {self._moment(at)}, which is none of its times", job)
            else:
                seen.setdefault(index, []).append(job)
        for index, item in enumerate(self.expected):
            yield from self._compare(item, seen.get(index, []), blind=blind)
        yield from self._crowds()

    def _crowds(self) -> Iterator[Problem]:
        limit = self._timeline.max_running
        for start, count in self._own.crowds():
            text = f"has {count} jobs that run at once at {moment(start)}, expected {limit} at most"
            yield self._problem(_CROWD, self._told.clock.wall(start), text)

    def _compare(self, item: Expected, jobs: list[Job], *, blind: bool) -> Iterator[Problem]:
        if not jobs:
            if item.job is Demand.MUST and not blind:
                text = f"has no job for {self._moment(item.at)}, when it was not paused and its scheduler was up"
                yield self._problem(_MISSING, item.at, text + self._looked(item.window))
            return
        if item.job is Demand.NEVER:
            text = f"has a job for {self._moment(item.at)}, which must not be: {item.why}"
            yield self._problem(_EXTRA, item.at, text, jobs[0])
        elif len(jobs) > 1 and not self._cut_off(item):
            named = ", ".join(short(job.job_id) for job in jobs[:4])
            text = f"has {len(jobs)} jobs for {self._moment(item.at)}, expected 1: {named}"
            yield self._problem(_DOUBLE, item.at, text, jobs[0])
        for job in jobs:
            yield from self._judge_run(item, job)

    def _judge_run(self, item: Expected, job: Job) -> Iterator[Problem]:
        """Whether it was begun in time, or dropped for being late."""
        due = job.scheduled_for or 0.0
        if job.outcome in MISSED:
            if item.run is Demand.MUST and not self._held_up(due, job.at):
                text = f"dropped the job for {self._moment(item.at)} as too late, although there was time for it"
                yield self._problem(_MISFIRE, item.at, text, job)
            return
        if job.started is None or job.attempts > 1:
            return
        late = f"began the job for {self._moment(item.at)} at {moment(job.started)}"
        grace = self._timeline.policy.grace
        if grace is not None and job.started - due > (grace + SAME) / SECOND:
            text = f"{late}, {lasted(job.started - due)} late, although its grace is {lasted(grace / SECOND)}"
            yield self._problem(_MISFIRE, item.at, text, job)
        elif job.started < due - SAME / SECOND:
            yield self._problem(_EARLY, item.at, f"{late}, {lasted(due - job.started)} before its time", job)
        elif item.window.latest is not None and item.job is Demand.MUST:
            limit = max(self._told.clock.scenario(item.window.latest), due + self._lag / SECOND)
            if job.started > limit and not self._held_up(due, job.started):
                yield self._problem(_LATE, item.at, f"{late}, {lasted(job.started - due)} late", job)

    def _held_up(self, begin: float, end: float) -> bool:
        """Whether at some moment from `begin` to `end`, in scenario seconds, no slot was free for a job of it."""
        return self._own.taken(begin, end) or self._all.taken(begin, end)

    def _cut_off(self, item: Expected) -> bool:
        """Whether the scheduler was killed while it may have dealt with this time: it may begin again with it."""
        window = item.window
        return any(
            (window.earliest is None or kill >= window.earliest - self._lag)
            and (window.latest is None or kill <= window.latest + self._lag)
            for kill in self._told.kills
        )

    def _looked(self, window: Window) -> str:
        if window.earliest is None or window.latest is None:
            return ""
        clock = self._told.clock
        return f" (to be dealt with from {moment(clock.scenario(window.earliest))} on)"

    def _moment(self, at: int) -> str:
        return moment(self._told.clock.scenario(at))

    def _problem(self, rank: int, at: int, what: str, job: Job | None = None) -> Problem:
        when = self._told.clock.scenario(at)
        policy = self._timeline.policy
        grace = "" if policy.grace is None else f", grace {lasted(policy.grace / SECOND)}"
        kind = self._timeline.trigger["kind"]
        text = (
            f"schedule {short(self._timeline.id)} ({kind}, coalesce {policy.coalesce.value}{grace}) {what}"
            f"{self._case.around.during(when, when)}"
        )
        about: tuple[tuple[str, str], ...] = (("schedule", self._timeline.id),)
        return Problem(rank, when, text, (*about, ("job", job.job_id)) if job else about)


CHECK = Check(
    name="fires-as-modelled",
    about="schedules fire when a model of their triggers, pauses, restarts and policies says so, and only then",
    judge=judge,
    args=FireArgs,
)
