"""Everything that handlers did can be explained by what was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short
from harness.history.jobs import submits_job
from harness.history.records import Execution, Status


def judge(case: Case, args: None) -> Finding:
    """Each run belongs to a job that the scheduler lists or accepted, at the handler that the job was for.

    A call that was never answered may have made a job too.
    """
    runs = case.history.of(Execution)
    problems = [*_strangers(case), *_refused(case), *_misplaced(case)]
    blind = case.around.unseen("collect files", "collect")
    return conclude(
        problems,
        samples=len(runs),
        broken=f"{len(problems)} of {many(len(runs), 'run')} cannot be explained",
        good=f"all {many(len(runs), 'run')} belong to jobs that were asked for",
        nothing="no run was recorded, so there was nothing to explain",
        doubts=[Problem(0, case.history.end, blind)] if blind else (),
    )


def _strangers(case: Case) -> Iterator[Problem]:
    """Runs of jobs nobody asked for; as many may be strangers as there are calls that were never answered."""
    unanswered = sum(1 for o in case.history.operations() if o.status is Status.INFO and submits_job(o))
    strangers = case.book.strangers
    if len(strangers) <= unanswered:
        return
    for ref, runs in strangers.items():
        run = runs[0]
        text = (
            f"{run.handler} ran {short(ref)} ({run.method}) at {moment(run.start)}, but nobody asked for it"
            f"{case.around.during(run.start, run.end or run.start, (run.handler,))}"
        )
        if unanswered:
            text += f" ({many(unanswered, 'unanswered call')} cannot explain {len(strangers)} such jobs)"
        yield Problem(0, run.start, text, (("request_id", ref), ("handler", run.handler)))


def _refused(case: Case) -> Iterator[Problem]:
    """Runs of jobs that the caller was told had been refused."""
    ran = {run.request_id: run for run in reversed(case.history.of(Execution)) if run.request_id}
    for operation in case.history.operations():
        run = ran.get(operation.ref)
        if operation.status is Status.FAIL and submits_job(operation) and run is not None:
            text = (
                f"job {short(operation.ref)} was refused at {moment(operation.end)} "
                f"({operation.error or 'no reason'}), but {run.handler} ran it at {moment(run.start)}"
            )
            yield Problem(1, run.start, text, (("job", operation.ref),))


def _misplaced(case: Case) -> Iterator[Problem]:
    for story in case.book.stories.values():
        meant = sorted({job.handler for job in story.log if job.handler})
        for run in story.runs:
            if meant and run.handler not in meant:
                text = (
                    f"job {short(story.id)} for {', '.join(meant)} ran at {run.handler} at {moment(run.start)}"
                )
                yield Problem(2, run.start, text, (("job", story.id), ("handler", run.handler)))


CHECK = Check(
    name="history-explainable",
    about="handlers ran only what was asked for, where it was asked for",
    judge=judge,
)
