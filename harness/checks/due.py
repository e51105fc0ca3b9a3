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
    """Whether a job that was not accepted as such (a schedule made it) was due after the run phase had ended.

    Such a job may still be waiting or under way when the target is stopped, so nothing is owed for it.
    """
    end = (case.history.phase(PhaseName.RUN) or (0.0, case.history.end))[1]
    return not story.accepted and (due(story) or 0.0) > end
