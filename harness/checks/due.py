"""When a job that nobody submitted directly was due, measured against the run it belongs to."""

from __future__ import annotations

from harness.checks.base import Case
from harness.history.jobs import JobStory
from harness.history.records import PhaseName


def due(story: JobStory) -> float | None:
    """When its schedule meant it to run, or else when the scheduler began it, in seconds; None if neither is known."""
    times = [job.scheduled_for if job.scheduled_for is not None else job.started for job in story.log]
    return min((time for time in times if time is not None), default=None)


def late(case: Case, story: JobStory) -> bool:
    """Whether nothing is owed for a job that was not accepted as such.

    One that a schedule made may still be waiting or under way when the target is stopped, if it was due after the run
    phase had ended. One that a call made which was never answered may come to an outcome, and need not.
    """
    if story.accepted:
        return False
    if story.id in case.book.unpromised:
        return not story.outcomes
    end = (case.history.phase(PhaseName.RUN) or (0.0, case.history.end))[1]
    planned = due(story)
    return planned is not None and planned > end
