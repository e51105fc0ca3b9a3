"""The story of each job: who accepted it, what the scheduler's log says, and which handlers ran it.

A job is what an operation named ``job.*`` was answered with (its ``ref``), or what the scheduler's own log
lists. A schedule is what ``schedule.*`` was answered with; its jobs name it as their ``schedule_id``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.history.history import History
from harness.history.records import Execution, Job, Operation, Status

SUCCESS = "success"
"""The one outcome of a `Job` that says the work was done."""


def submits_job(operation: Operation) -> bool:
    """Whether the operation asks for one job (``job.submit``)."""
    return operation.op.startswith("job.")


@dataclass(frozen=True)
class JobStory:
    """All that the history says about one job; ``runs`` are in order of their start."""

    id: str
    accepted: tuple[Operation, ...] = ()
    log: tuple[Job, ...] = ()
    runs: tuple[Execution, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The different outcomes that the log has, sorted; one when all is well."""
        return tuple(sorted({job.outcome for job in self.log if job.outcome}))

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers it was meant for or ran at, sorted."""
        return tuple(sorted({job.handler for job in self.log} | {run.handler for run in self.runs}))

    @property
    def started(self) -> float | None:
        """When work on it first began: in a handler, or else by the scheduler's log."""
        starts = [run.start for run in self.runs] or [
            job.started for job in self.log if job.started is not None
        ]
        return min(starts, default=None)

    @property
    def completed(self) -> float | None:
        """When its last run ended, or else when the log says it did; None while it is unfinished."""
        ends = [run.end for run in self.runs if run.end is not None]
        return max(ends or [job.ended for job in self.log if job.ended is not None], default=None)


@dataclass(frozen=True)
class JobBook:
    """The stories of all jobs of a history, by id in sorted order."""

    history: History

    @cached_property
    def stories(self) -> dict[str, JobStory]:
        """Every job that was accepted or that the scheduler's log lists."""
        accepted, log, runs = self._accepted, self._log, self._runs
        return {
            ref: JobStory(ref, tuple(accepted.get(ref, ())), tuple(log.get(ref, ())), tuple(runs.get(ref, ())))
            for ref in sorted(accepted.keys() | log.keys())
        }

    @cached_property
    def by_schedule(self) -> dict[str, tuple[JobStory, ...]]:
        """The jobs of each schedule."""
        grouped: dict[str, list[JobStory]] = {}
        for story in self.stories.values():
            for schedule in sorted({job.schedule_id for job in story.log if job.schedule_id}):
                grouped.setdefault(schedule, []).append(story)
        return {schedule: tuple(stories) for schedule, stories in grouped.items()}

    @cached_property
    def unpromised(self) -> frozenset[str]:
        """The jobs of the log that calls which were never answered may have made: nobody was promised their outcome.

        None of them when there are more jobs that nobody asked for than such calls.
        """
        unanswered = sum(1 for o in self.history.operations() if o.status is Status.INFO and submits_job(o))
        unasked = [
            story.id
            for story in self.stories.values()
            if not story.accepted and not any(job.schedule_id for job in story.log)
        ]
        return frozenset(unasked if len(unasked) <= unanswered else ())

    @property
    def nameless(self) -> int:
        """Runs that carry no request id, so that nobody can say which job they belong to."""
        return len(self._runs.get("", ()))

    @property
    def strangers(self) -> dict[str, list[Execution]]:
        """Runs by request id of jobs that nobody accepted and no log lists."""
        known = self.stories
        return {ref: runs for ref, runs in sorted(self._runs.items()) if ref and ref not in known}

    @cached_property
    def _accepted(self) -> dict[str, list[Operation]]:
        grouped: dict[str, list[Operation]] = {}
        for operation in self.history.operations():
            if operation.status is Status.OK and operation.ref and submits_job(operation):
                grouped.setdefault(operation.ref, []).append(operation)
        return grouped

    @cached_property
    def _log(self) -> dict[str, list[Job]]:
        grouped: dict[str, list[Job]] = {}
        for job in self.history.of(Job):
            grouped.setdefault(job.job_id, []).append(job)
        return grouped

    @cached_property
    def _runs(self) -> dict[str, list[Execution]]:
        grouped: dict[str, list[Execution]] = {}
        for run in sorted(self.history.of(Execution), key=lambda run: (run.start, run.handler, run.pid)):
            grouped.setdefault(run.request_id, []).append(run)
        return grouped
