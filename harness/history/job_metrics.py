"""Metrics of the jobs that a workload asked for: how late, how long, how many in vain."""

from __future__ import annotations

from collections.abc import Iterator

from harness.history.history import History
from harness.history.jobs import SUCCESS, JobBook, JobStory, submits_job
from harness.history.records import Drop, Execution, Job, Operation, PhaseName, Status
from harness.history.series import NEVER, Point, Series, took

Operations = tuple[Operation, ...]
Drops = tuple[Drop, ...]


def completion(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    """Seconds from an accepted job's intended start to the end of its last run.

    A job that never completed took for ever. Without any `Job` or `Execution` in the history nothing was
    observed.
    """
    if not _observed(history):
        return Series(name)
    book = JobBook(history)
    points = []
    for operation in _accepted_jobs(operations):
        end = book.stories[operation.ref].completed
        value = NEVER if end is None else took(operation.intended, end)
        points.append(Point(value, operation.intended, history.end if end is None else end, operation))
    return Series(name, tuple(points))


def lateness(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    """Seconds from when a job was due to the start of its first run.

    Due is when its schedule said, or, for a job that was submitted directly, when it was accepted. A job that
    was due before the run phase ended, never started and has no outcome is late for ever.
    """
    if not _observed(history):
        return Series(name)
    book = JobBook(history)
    last_due = (history.phase(PhaseName.RUN) or (0.0, history.end))[1]
    points = []
    for due, story, record in _due(book, operations):
        if story.started is not None:
            points.append(Point(took(due, story.started), due, story.started, record))
        elif not story.outcomes and due <= last_due:
            points.append(Point(NEVER, due, history.end, record))
    return Series(name, tuple(points))


def job_errors(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    """The share of the workload's jobs whose outcome is not success, those without an outcome included."""
    book = JobBook(history)
    stories = {story.id: (due, story, record) for due, story, record in _due(book, operations)}
    wrong = [
        Point(0.0, due, history.end, record)
        for due, story, record in stories.values()
        if story.outcomes != (SUCCESS,)
    ]
    return Series(name, tuple(wrong), numerator=len(wrong), denominator=len(stories))


def _observed(history: History) -> bool:
    return bool(history.of(Job)) or bool(history.of(Execution))


def _accepted_jobs(operations: Operations) -> Iterator[Operation]:
    return (o for o in operations if o.status is Status.OK and o.ref and submits_job(o))


def _due(book: JobBook, operations: Operations) -> Iterator[tuple[float, JobStory, Operation | Job]]:
    """Each job of the operations, with when it was due."""
    for operation in _accepted_jobs(operations):
        yield operation.end, book.stories[operation.ref], operation
    schedules = {o.ref for o in operations if o.status is Status.OK and o.ref and not submits_job(o)}
    for schedule in sorted(schedules):
        for story in book.by_schedule.get(schedule, ()):
            due = [(job.scheduled_for, job) for job in story.log if job.scheduled_for is not None]
            if due:
                first, job = min(due, key=lambda pair: pair[0])
                yield first, story, job
