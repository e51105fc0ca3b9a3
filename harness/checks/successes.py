"""What a recorded success needs: a run that a handler had finished by then.

A handler's agent notes the end of a run before the answer leaves the handler, with one ``write`` that a kill cannot
take back. So a success without such an end was recorded without an answer, whatever became of the handler later.
"""

from __future__ import annotations

from harness.checks.evidence import moment
from harness.history.jobs import SUCCESS, JobStory
from harness.history.records import Execution

CLOCKS = 0.1
"""Seconds by which a time of the scheduler's log (wall clock) may differ from one that a handler told (monotonic)."""


def unearned(story: JobStory) -> str:
    """How the runs of a job show that its success was recorded before any of them had succeeded; empty if they do not.

    Nothing is said of a job without runs, or of one whose times tell that the wall clock was set meanwhile.
    """
    done = [job for job in story.log if job.outcome == SUCCESS]
    if not done or not story.runs or _clock_was_set(story):
        return ""
    ends = [job.ended for job in done if job.ended is not None]
    recorded = max(ends) if len(ends) == len(done) else None
    good = [run.end for run in story.runs if run.outcome == "ok" and run.end is not None]
    if any(recorded is None or end <= recorded + CLOCKS for end in good):
        return ""
    when = "" if recorded is None else f" at {moment(recorded)}"
    runs = ", ".join(map(_told, story.runs[:4]))
    return f"is recorded as success{when}, when none of its runs had succeeded: {runs}"


def _told(run: Execution) -> str:
    began = f"{run.handler} began it at {moment(run.start)} and "
    return began + (f"ended {run.outcome} at {moment(run.end)}" if run.end is not None else "never ended it")


def _clock_was_set(story: JobStory) -> bool:
    asked = min((operation.start for operation in story.accepted), default=None)
    began = [job.started for job in story.log if job.started is not None]
    return asked is not None and any(start < asked - CLOCKS for start in began)
