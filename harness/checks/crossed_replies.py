"""No reply crosses requests: what a job was given and what is recorded as its result are its own."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short
from harness.history.jobs import SUCCESS, JobStory
from harness.history.records import Execution, Operation


def judge(case: Case, args: None) -> Finding:
    """Compare, by their digests, the parameters that were asked for with those that each run got, and the stored result
    of each success with what its own runs answered.

    The handlers of the harness tell both; of runs by other handlers nothing is known, and without any known one the
    check is unknown.
    """
    results = {run.result: run.request_id for run in case.history.of(Execution) if run.result}
    stories = [story for story in case.book.stories.values() if any(run.params for run in story.runs)]
    asked = {o.ref: o for o in case.history.operations() if o.ref and o.params}
    problems = [p for story in stories for p in (*_params(case, story, asked), *_results(case, story, results))]
    blind = case.around.unseen("collect files", "collect")
    return conclude(
        problems,
        samples=len(stories),
        broken=f"{len(problems)} of {many(len(stories), 'job')} got what belongs to another request",
        good=f"parameters and results of {many(len(stories), 'job')} are their own",
        nothing="no handler told what it was given and what it answered, so nothing was proven",
        doubts=[Problem(0, case.history.end, blind)] if blind else (),
    )


def _params(case: Case, story: JobStory, asked: dict[str, Operation]) -> Iterator[Problem]:
    origins = (story.id, *(job.schedule_id for job in story.log if job.schedule_id))
    operation = next((asked[ref] for ref in origins if ref in asked), None)
    for run in story.runs:
        if operation is None or not run.params or run.params == operation.params:
            continue
        text = (
            f"job {short(story.id)} ran at {run.handler} at {moment(run.start)} with other parameters (digest "
            f"{run.params}) than those asked for at {moment(operation.end)} ({operation.params})"
        )
        around = case.around.during(operation.end, run.start, story.handlers)
        yield Problem(0, run.start, text + around, (("job", story.id), ("handler", run.handler)))


def _results(case: Case, story: JobStory, results: dict[str, str]) -> Iterator[Problem]:
    own = {run.result for run in story.runs if run.result}
    nothing = any(run.params and not run.result for run in story.runs)
    for job in story.log:
        if job.outcome != SUCCESS or not own or job.result in own or (not job.result and nothing):
            continue
        at = job.ended if job.ended is not None else job.at
        other = results.get(job.result, "")
        whose = f"the answer to request {short(other)}" if other else "what none of its runs answered"
        told = f"is {whose}" if job.result else f"is empty, but its run answered something (digest {min(own)})"
        text = f"the stored result of job {short(story.id)}, done at {moment(at)}, {told}"
        around = case.around.during(job.started if job.started is not None else at, at, story.handlers)
        yield Problem(1, at, text + around, (("job", story.id), ("of", other)))


CHECK = Check(
    name="no-reply-crosses-requests",
    about="every job runs with its own parameters, and its stored result is what its own run answered",
    judge=judge,
)
