"""One round of acquiring jobs, as a function on the database.

First in, first out within a task; between tasks `fair_shares` decides. The query of APScheduler's own store cuts
to the oldest rows before it looks at each task's limit, so that the backlog of one saturated handler starves all
others; here every task with waiting jobs is looked at, whatever its backlog.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apscheduler import Event, Job, JobAcquired, JobOutcome, JobReleased, JobResult

from schedule_zero.apscheduler_fixes.jitter_waited import DUE
from schedule_zero.dialect import Session, every, for_update, now, select
from schedule_zero.execution_log import insert_record
from schedule_zero.fair_shares import Candidate, admit
from schedule_zero.rows import JOB_COLUMNS, SCHEDULE_LIMIT, SEEN, job_of, metadata_text, missed_result, outcome_record
from schedule_zero.takings import take
from schedule_zero.unreadable import Reading, read_rows

__all__ = ["Acquired", "Choice", "release"]

SELECT_JOBS: Final = f"SELECT {JOB_COLUMNS} FROM jobs"
# The first waiting task, then the first after it, and so on: one index probe a task, whatever the backlog of
# each.
_WAITING_TASKS: Final = """WITH RECURSIVE waiting(id) AS (
    SELECT min(task_id) FROM jobs WHERE acquired_by IS NULL
    UNION ALL
    SELECT (SELECT min(task_id) FROM jobs WHERE acquired_by IS NULL AND task_id > waiting.id)
    FROM waiting WHERE waiting.id IS NOT NULL)
    SELECT id FROM waiting WHERE id IS NOT NULL"""
_OF_TASK: Final = (
    f"SELECT {JOB_COLUMNS}, seq FROM jobs WHERE acquired_by IS NULL AND task_id = ? AND {DUE} AND seq > ?"
    " ORDER BY seq LIMIT ?"
)
#: Rows read at once of one task's backlog, at least: some may be passed over because of their schedule's limit.
_PAGE: Final = 16
_CLAIM: Final = "UPDATE jobs SET acquired_by = ?, acquired_until = ?, metadata = ? WHERE id = ?"
_ENOUGH: Final = 1 << 30


@dataclass
class Acquired:
    """What a round came to: the jobs acquired, the events to tell, and which rows could be read and which not."""

    jobs: list[Job]
    events: list[Event]
    read: Reading[Job]


@dataclass
class Choice:
    """Who acquires, how many at most, and what is known of the tasks.

    `lease` in microseconds. `limits` has every known task; `by_task` and `by_schedule` count the jobs that run,
    `here` those of them that this process runs. `starts` says which start of a task's handler is connected (empty:
    none), and `places` how many calls at once it gets from this process (None: any number); jobs that will be called
    at once remember the former, see `takings`. Made anew for each round, and may be asked again when the batch that it
    is part of is repeated.
    """

    scheduler_id: str
    lease: int
    limit: int | None
    limits: Mapping[str, int | None]
    by_task: Counter[str]
    by_schedule: Counter[str]
    here: Counter[str] = field(default_factory=Counter)
    starts: Callable[[str], str] = lambda _: ""
    places: Callable[[str], int | None] = lambda _: None

    def make(self, c: Session) -> Acquired:
        """Acquire; rows that cannot be read are left as they are, and hold up nothing."""
        instant = now(c)
        overdue = f"{SELECT_JOBS} WHERE acquired_by IS NULL AND start_deadline < ?{for_update(c)}"
        read = read_rows(select(c, overdue, instant), job_of)
        events: list[Event] = [release(c, self.scheduler_id, job, missed_result(job)) for job in read.items]
        waiting: list[tuple[Candidate, Job]] = []
        for task_id in self._claimable(c, [row[0] for row in select(c, _WAITING_TASKS)]):
            waiting += self._of_task(c, task_id, read)
        if not waiting:
            return Acquired([], events, read)
        jobs = admit(waiting, self.here, self.limits, self._most)
        self._take(jobs, instant)
        until = instant + self.lease
        c.executemany(_CLAIM, [(self.scheduler_id, until, metadata_text(job.metadata), str(job.id)) for job in jobs])
        seen = _seen(c, jobs)
        for job in jobs:
            job.acquired_by = self.scheduler_id
            job.metadata[SEEN] = str(job.id) in seen
            events.append(JobAcquired.from_job(job, scheduler_id=self.scheduler_id))
        return Acquired(jobs, events, read)

    def _take(self, jobs: list[Job], instant: int) -> None:
        """Note the taking of each; the start of the handler is named by those alone that find a place free there."""
        held = Counter(self.here)
        for job in jobs:
            held[job.task_id] += 1
            places = self.places(job.task_id)
            at_once = places is None or held[job.task_id] <= places
            take(job.metadata, instant, self.starts(job.task_id) if at_once else "")

    def _claimable(self, c: Session, waiting: list[str]) -> list[str]:
        """Those tasks with waiting jobs that this round may take from."""
        return [task_id for task_id in waiting if task_id in self.limits]

    @property
    def _most(self) -> int:
        return _ENOUGH if self.limit is None else self.limit

    def _of_task(self, c: Session, task_id: str, read: Reading[Job]) -> list[tuple[Candidate, Job]]:
        running = self.by_task[task_id]
        most = self.limits[task_id]
        free = self._most if most is None else min(self._most, most - running)
        chosen: list[tuple[Candidate, Job]] = []
        # Counted for this round alone: the choice may be made again.
        under_way = Counter(self.by_schedule)
        for row in _backlog(c, task_id, free):
            job = read.add(row[:-1], job_of)
            if job is None:
                continue
            limit = job.metadata.get(SCHEDULE_LIMIT)
            if job.schedule_id is not None:
                if isinstance(limit, int) and under_way[job.schedule_id] >= limit:
                    continue
                under_way[job.schedule_id] += 1
            chosen.append((Candidate(task_id, running + len(chosen), row[-1]), job))
            if len(chosen) >= free:
                break
        return chosen


def _backlog(c: Session, task_id: str, free: int) -> Any:
    """The waiting jobs of a task in the order of their arrival, read as far as they are asked for."""
    page = min(max(free, _PAGE), 1000)
    seq, present = -1, now(c)
    while free > 0:
        rows = select(c, _OF_TASK, task_id, present, seq, page)
        yield from rows
        if len(rows) < page:
            return
        seq = rows[-1][-1]


def _seen(c: Session, jobs: list[Job]) -> frozenset[str]:
    ids = [str(job.id) for job in jobs]
    return frozenset(row[0] for row in every(c, "SELECT job_id FROM executions WHERE job_id IN ({})", ids))


def release(c: Session, scheduler_id: str, job: Job, result: JobResult) -> JobReleased:
    """Drop a job whose outcome is in the log, or is written to it here."""
    if result.outcome is not JobOutcome.success:
        insert_record(c, outcome_record(job, result))
    c.execute("DELETE FROM jobs WHERE id = ?", (str(job.id),))
    return JobReleased.from_result(result, scheduler_id, job.task_id, job.schedule_id, job.scheduled_fire_time)
