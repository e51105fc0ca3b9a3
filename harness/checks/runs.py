"""How often each job was run by a handler."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from harness.checks.base import LASTING, Args, Case, Check, Section
from harness.checks.due import due, late
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short
from harness.history.jobs import JobStory
from harness.history.records import Execution, Status
from harness.scenario.vocabulary import NAMES_CALLS

UNRUN = frozenset({"missed", "cancelled"})
"""Outcomes of jobs that the scheduler meant not to run."""


class Bounds(Args):
    """How many runs a job may have; at least one bound is given."""

    max: int | None = Field(default=None, ge=0)
    min: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("give `max`, `min` or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        return self


class Runs(Args):
    """How many runs the jobs of the workload or step `of` have together."""

    of: str = Field(json_schema_extra={**NAMES_CALLS})
    exactly: int | None = Field(default=None, ge=0)
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.exactly is None and self.min is None and self.max is None:
            raise ValueError("give `exactly`, `min` or `max`")
        return self

    def broken_by(self, count: int) -> bool:
        """Whether `count` runs are too few or too many."""
        low = self.exactly if self.exactly is not None else self.min
        high = self.exactly if self.exactly is not None else self.max
        return (low is not None and count < low) or (high is not None and count > high)


def per_job(case: Case, args: Bounds) -> Finding:
    """Count the runs of every accepted job and of every job in the scheduler's log.

    Without a single recorded run nothing is known about `max`; runs without a request id cannot be counted and
    leave doubt. A scheduled job that was due after the run phase owes no run (`min`).
    """
    stories = case.book.stories.values()
    problems = [problem for story in stories for problem in _broken(case, story, args)]
    recorded = len(case.history.of(Execution))
    most = max((len(story.runs) for story in stories), default=0)
    return conclude(
        problems,
        samples=len(stories) if recorded or problems else 0,
        broken=f"{len(problems)} of {many(len(stories), 'job')} ran too often or too seldom (most: {most})",
        good=f"none of {many(len(stories), 'job')} ran more than {many(most, 'time')}",
        nothing="no run of any job was recorded, so nothing was proven",
        doubts=list(_doubts(case)),
    )


def _broken(case: Case, story: JobStory, args: Bounds) -> Iterable[Problem]:
    count = len(story.runs)
    if args.max is not None and count > args.max:
        yield _problem(case, story, -count, f"ran {count} times, at most {args.max} allowed")
    owed = not (UNRUN.intersection(story.outcomes) or late(case, story))
    if args.min is not None and count < args.min and owed:
        yield _problem(case, story, count, f"ran {many(count, 'time')}, at least {args.min} expected")


def _problem(case: Case, story: JobStory, rank: float, what: str) -> Problem:
    starts = [run.start for run in story.runs]
    accepted = [operation.end for operation in story.accepted]
    planned = due(story) if not accepted else None
    begin = planned if planned is not None else min(accepted or starts, default=case.history.end)
    over = [job.ended for job in story.log if job.ended is not None]
    end = max([*starts, *over], default=case.history.end)
    runs = "".join(f"; at {run.handler} from {moment(run.start)} {_until(run)}" for run in story.runs[:4])
    more = f"; and {len(story.runs) - 4} more" if len(story.runs) > 4 else ""
    born = f", due at {moment(planned)}" if planned is not None else ""
    outcome = f" (outcome {', '.join(story.outcomes) or 'none'}{born})"
    text = f"job {short(story.id)}{outcome} {what}{runs}{more}{case.around.during(begin, end, story.handlers)}"
    return Problem(rank, begin, text, (("job", story.id), ("starts", starts)))


def _until(run: Execution) -> str:
    return f"to {moment(run.end)}" if run.end is not None else "without an end"


def _doubts(case: Case) -> Iterable[Problem]:
    if case.book.nameless:
        yield Problem(
            0, 0.0, f"{many(case.book.nameless, 'run')} carried no request id and could not be counted"
        )
    if blind := case.around.unseen("collect files"):
        yield Problem(1, case.history.end, blind)


def together(case: Case, args: Runs) -> Finding:
    """Count the runs of all jobs that one workload or step asked for, directly or through its schedules."""
    accepted = [o for o in case.history.operations(args.of) if o.status is Status.OK and o.ref]
    refs = sorted({operation.ref for operation in accepted})
    stories = [case.book.stories[ref] for ref in refs if ref in case.book.stories]
    stories += [story for ref in refs for story in case.book.by_schedule.get(ref, ())]
    runs = sorted((run for story in stories for run in story.runs), key=lambda run: (run.start, run.handler))
    where = [
        Problem(
            0, run.start, f"{short(run.request_id)} ran at {run.handler} from {moment(run.start)} {_until(run)}"
        )
        for run in runs
    ]
    wanted = " and ".join(f"{k} {v}" for k, v in args.model_dump(exclude={"of"}, exclude_none=True).items())
    broken = bool(accepted) and args.broken_by(len(runs))
    none = Problem(0, case.history.end, f"nothing of {args.of} ran")
    return conclude(
        (where or [none]) if broken else (),
        samples=len(accepted),
        broken=f"{args.of} ran {many(len(runs), 'time')}, expected {wanted}",
        good=f"{args.of} ran {many(len(runs), 'time')}, as expected ({wanted})",
        nothing=f"no operation of {args.of} was accepted, so nothing was proven",
        doubts=list(_doubts(case)),
    )


PER_JOB = Check(
    name="runs-per-job",
    about="how often each job may be run by a handler: max 1 is exactly-once at most, max 2 allows a retry",
    judge=per_job,
    args=Bounds,
)
TOGETHER = Check(
    name="runs",
    about="how often the jobs of one workload or step ran together",
    judge=together,
    args=Runs,
    sections=LASTING | {Section.THEN},
)
