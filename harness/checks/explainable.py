"""Everything that handlers did can be explained by what was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short
from harness.checks.schedules import adds_schedule
from harness.checks.successes import unearned
from harness.history.jobs import SUCCESS, JobStory, submits_job
from harness.history.records import Execution, Operation, Status

_GLOB = frozenset("*?[")


def judge(case: Case, args: None) -> Finding:
    """Each run belongs to a job that the scheduler lists or accepted, with the handler and method that it was for.

    A call that was never answered may have made a job too. What the log says of a job's end must not contradict
    all of its runs; this is not judged where runs may be missing.
    """
    runs = case.history.of(Execution)
    problems = [*_strangers(case), *_refused(case), *_misplaced(case)]
    blind = case.around.unseen("collect files", "collect")
    if not blind and not case.book.nameless:
        problems += _contradicted(case)
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
    """Runs at another handler, or of another method, than the scheduler's log or the caller has."""
    asked = _asked(case)
    for story in case.book.stories.values():
        handlers = sorted({job.handler for job in story.log if job.handler})
        methods = sorted({job.method for job in story.log if job.method})
        operation = next((asked[ref] for ref in _origins(story) if ref in asked), None)
        for run in story.runs:
            about = (("job", story.id), ("handler", run.handler))
            where = f"{run.handler} at {moment(run.start)}"
            if handlers and run.handler not in handlers:
                text = f"job {short(story.id)} for {', '.join(handlers)} ran at {where}"
                yield Problem(2, run.start, text, about)
            elif operation and run.handler != operation.place:
                wish = f"asked for at {operation.place} (accepted at {moment(operation.end)})"
                yield Problem(2, run.start, f"job {short(story.id)} {wish} ran at {where}", about)
            if methods and run.method and run.method not in methods:
                text = f"job {short(story.id)} for the method {', '.join(methods)} ran {run.method} at {where}"
                yield Problem(2, run.start, text, (*about, ("method", run.method)))


def _asked(case: Case) -> dict[str, Operation]:
    """By job or schedule, the accepted operation that asked for it, where its place is one handler."""
    return {
        operation.ref: operation
        for operation in reversed(case.history.operations())
        if (submits_job(operation) and operation.status is Status.OK and operation.ref) or adds_schedule(operation)
        if operation.place and not _GLOB.intersection(operation.place)
    }


def _origins(story: JobStory) -> tuple[str, ...]:
    return (story.id, *(job.schedule_id for job in story.log if job.schedule_id))


def _contradicted(case: Case) -> Iterator[Problem]:
    """Jobs of which the scheduler's log says the opposite of what every handler that ran them saw, or said it before
    any of them had seen it.
    """
    for story in case.book.stories.values():
        over = [run for run in story.runs if run.end is not None]
        seen = {run.outcome for run in over}
        failed = story.outcomes == ("error",) and seen == {"ok"} and len(over) == len(story.runs)
        worked = story.outcomes == (SUCCESS,) and seen == {"error"}
        if failed or worked:
            runs = ", ".join(
                f"{run.outcome} at {run.handler} from {moment(run.start)} to {moment(run.end or run.start)}"
                for run in over[:4]
            )
            text = (
                f"job {short(story.id)} is recorded as {story.outcomes[0]}{_at(story)}, "
                f"but {'its run' if len(over) == 1 else f'all its {len(over)} finished runs'} ended {runs}"
            )
            about = (("job", story.id), ("outcome", story.outcomes[0]))
            yield Problem(3, over[0].start, text, about)
        elif early := unearned(story):
            about = (("job", story.id), ("outcome", SUCCESS))
            yield Problem(3, story.runs[0].start, f"job {short(story.id)} {early}", about)


def _at(story: JobStory) -> str:
    ended = max((job.ended for job in story.log if job.ended is not None), default=None)
    return f" at {moment(ended)}" if ended is not None else ""


CHECK = Check(
    name="history-explainable",
    about="handlers ran only what was asked for, where it was asked for, and the outcomes agree with them",
    judge=judge,
)
