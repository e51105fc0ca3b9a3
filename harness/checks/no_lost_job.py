"""No accepted job is lost: each reaches one recorded outcome, and success means that a handler had done it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.checks.base import Case, Check
from harness.checks.due import due, late
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short
from harness.checks.schedules import lost_schedules
from harness.checks.successes import unearned
from harness.history.jobs import SUCCESS, JobStory
from harness.history.records import Status


def judge(case: Case, args: None) -> Finding:
    """Look at every accepted job and at every job of the scheduler's log.

    Without any log each accepted job is lost: a scheduler that forgets everything is not excused by having no
    log. A job that was not accepted as such (a schedule made it) may be under way when the run ends, and counts
    if it was due before. One that may be of a call which was never answered owes no outcome.
    """
    judged = [story for story in case.book.stories.values() if story.outcomes or not late(case, story)]
    problems = [problem for story in judged for problem in _problems(case, story)]
    schedules = list(lost_schedules(case))
    doubts = list(_untraceable(case))
    if blind := case.around.unseen("collect files", "collect"):
        # What was not collected proves no loss; what was collected and contradicts itself still does.
        problems, schedules = [problem for problem in problems if problem.rank == _CONTRADICTION], []
        doubts.append(Problem(-1, case.history.end, blind))
    accepted = sum(1 for story in judged if story.accepted)
    return conclude(
        [*problems, *schedules],
        samples=len(judged) + len(schedules),
        broken=_summary(problems, schedules, len(judged)),
        good=f"all {many(len(judged), 'job')} ({accepted} accepted directly) have exactly one outcome: {_ends(judged)}",
        nothing="no job was accepted, so nothing was proven",
        doubts=doubts,
    )


_UNKNOWN, _UNFINISHED, _HOLLOW, _EARLY, _CONTRADICTION = range(5)


def _problems(case: Case, story: JobStory) -> Iterator[Problem]:
    outcomes = story.outcomes
    if not story.log:
        unknown = "has no outcome: the scheduler's log does not know it"
        yield _problem(case, story, _UNKNOWN, unknown + _ran(story))
    elif not outcomes:
        yield _problem(case, story, _UNFINISHED, f"has no outcome{_ran(story)}")
    elif len(outcomes) > 1:
        yield _problem(case, story, _CONTRADICTION, f"has {len(outcomes)} outcomes: {', '.join(outcomes)}")
    if SUCCESS in outcomes and not story.runs:
        yield _problem(case, story, _HOLLOW, "is recorded as success, but no handler ran it")
    elif SUCCESS in outcomes and all(run.outcome == "error" for run in story.runs):
        yield _problem(case, story, _CONTRADICTION, "is recorded as success, but every run ended in an error")
    elif not case.book.nameless and (early := unearned(story)):
        yield _problem(case, story, _EARLY, early)


def _problem(case: Case, story: JobStory, rank: int, what: str) -> Problem:
    accepted = min(story.accepted, key=lambda operation: (operation.end, operation.id), default=None)
    planned = due(story)
    begin = accepted.end if accepted else planned or 0.0
    handlers = ", ".join(story.handlers) or (accepted.place if accepted else "")
    of = [f"workload {accepted.workload}"] if accepted else []
    of += [f"schedule {short(job.schedule_id)}" for job in story.log[:1] if job.schedule_id]
    of += [f"handler {handlers}"] if handlers else []
    born = "due at no known time" if planned is None else f"due at {moment(planned)}"
    born = f"accepted at {moment(begin)}" if accepted else born
    end = story.completed if story.completed is not None and story.completed > begin else case.history.end
    text = (
        f"job {short(story.id)} {born} ({', '.join(of)}) {what}{case.around.during(begin, end, story.handlers)}"
    )
    return Problem(rank, begin, text, (("job", story.id), ("handlers", list(story.handlers))))


def _ran(story: JobStory) -> str:
    if not story.runs:
        return ", and no handler ran it"
    first = story.runs[0]
    ended = f"ended at {moment(first.end)}" if first.end is not None else "never ended"
    return f", though {first.handler} began it at {moment(first.start)} and it {ended}"


def _summary(problems: list[Problem], schedules: list[Problem], judged: int) -> str:
    counts = [sum(1 for problem in problems if problem.rank == rank) for rank in range(5)]
    lost = counts[_UNKNOWN] + counts[_UNFINISHED]
    parts = [f"{lost} of {many(judged, 'job')} without an outcome"] if lost else []
    parts += [f"{many(counts[_HOLLOW], 'success', 'successes')} that no handler ran"] if counts[_HOLLOW] else []
    parts += [f"{many(counts[_EARLY], 'success', 'successes')} before any run had succeeded"] if counts[_EARLY] else []
    parts += [f"{many(counts[_CONTRADICTION], 'contradictory record')}"] if counts[_CONTRADICTION] else []
    parts += [f"{many(len(schedules), 'accepted schedule')} never fired"] if schedules else []
    return ", ".join(parts)


def _ends(stories: list[JobStory]) -> str:
    """How many jobs came to which outcome, the commonest first: it need not have been success."""
    counts = Counter(outcome for story in stories for outcome in story.outcomes)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _untraceable(case: Case) -> Iterator[Problem]:
    """Accepted jobs that nobody can follow, because the answer named no id."""
    for operation in case.history.operations():
        if operation.status is Status.OK and operation.op == "job.submit" and not operation.ref:
            text = (
                f"a job was accepted at {moment(operation.end)} (workload {operation.workload}) without an id"
            )
            yield Problem(0, operation.end, f"{text}, so nobody can follow it")


CHECK = Check(
    name="no-lost-job",
    about="every accepted job reaches exactly one recorded outcome, and success means that a handler had done it",
    judge=judge,
)
