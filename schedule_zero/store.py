"""The job store: APScheduler's data store on one SQLite database, made so that nothing accepted is lost.

Why not APScheduler's own `SQLAlchemyDataStore` (4.0.0a6, read in its source): it does not retry
OperationalError, so one locked database kills the scheduler; it *drops* the jobs of a dead scheduler as
abandoned; the query of `acquire_jobs` cuts to the oldest rows before it looks at each task's limit, so the
backlog of one saturated handler starves all others; its counter of running jobs drifts over crashes; and each
job costs seven transactions. Here a job costs four, shared between all jobs that are under way (see
`database`), and the counts of running jobs live in memory, because an embedded store has one scheduler.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from apscheduler import Event, Job, JobAcquired, JobOutcome, JobReleased, JobResult

from schedule_zero.database import Database
from schedule_zero.errors import ConfigError
from schedule_zero.execution_log import insert_record
from schedule_zero.fair_shares import Candidate, admit
from schedule_zero.idempotency import claim_key, find_key
from schedule_zero.rows import JOB_COLUMNS, SCHEDULE_LIMIT, SEEN, job_of, missed_result, outcome_record
from schedule_zero.schema import now_micros, span
from schedule_zero.store_base import select
from schedule_zero.store_schedules import ScheduleStore, added, insert_job, remove_finished

_SELECT = f"SELECT {JOB_COLUMNS} FROM jobs"
# The first waiting task, then the first after it, and so on: one index probe a task, whatever the backlog of
# each.
_WAITING_TASKS = """WITH RECURSIVE waiting(id) AS (
    SELECT min(task_id) FROM jobs WHERE acquired_by IS NULL
    UNION ALL
    SELECT (SELECT min(task_id) FROM jobs WHERE acquired_by IS NULL AND task_id > waiting.id)
    FROM waiting WHERE waiting.id IS NOT NULL)
    SELECT id FROM waiting WHERE id IS NOT NULL"""
_SLASHES = "sqlite:///"


def build_store(url: str) -> SqliteStore:
    """The store for a URL: ``memory://``, ``sqlite://`` (in memory) or ``sqlite:///PATH``; a driver suffix is
    ignored.

    Raises `ConfigError` for any other scheme.
    """
    return SqliteStore(build_database(url))


def build_database(url: str) -> Database:
    """The database for a URL, see `build_store`."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in ("memory", "sqlite"):
        raise ConfigError(f"unknown store {url!r}: expected memory://, sqlite:// or sqlite:///PATH")
    path = rest.removeprefix("/")
    return Database(Path(path) if path and path != ":memory:" else None)


class SqliteStore(ScheduleStore):
    """The store of one scheduler; see the module's text for what it does better."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        #: Jobs acquired by this process and not released: job id -> job.
        self._held: dict[UUID, Job] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"SqliteStore({self._db.path or ':memory:'})"

    @property
    def database(self) -> Database:
        """The database under the store, to be shared with the execution log."""
        return self._db

    @property
    def running_jobs(self) -> int:
        """How many jobs are acquired and not yet released."""
        return len(self._held)

    def holds(self, job_id: UUID) -> bool:
        """Whether this process is running the job."""
        return job_id in self._held

    async def wait_idle(self) -> None:
        """Wait until no job is held."""
        await self._idle.wait()

    def _let_go(self, job_id: UUID) -> None:
        self._held.pop(job_id, None)
        if not self._held:
            self._idle.set()

    async def add_job(self, job: Job) -> None:
        """Add a job. One that a schedule under way has made waits for `release_schedules`."""
        if job.schedule_id is not None and job.schedule_id in self._fired:
            self._fired[job.schedule_id].append(job)
            return
        await self._db.write(lambda c: insert_job(c, job))
        await self._publish(added(job))

    async def accept(self, job: Job, *, key: str | None = None, fingerprint: str = "") -> UUID:
        """Add a job and its idempotency key in one transaction; returns the id of the job that the key stands
        for.

        Raises `IdempotencyConflict` if the key was used for another request.
        """
        if key is None:
            await self.add_job(job)
            return job.id
        target = await self._db.write(lambda c: _accept(c, job, key, fingerprint))
        if target == str(job.id):
            await self._publish(added(job))
        return UUID(target)

    async def find_accepted(self, key: str, fingerprint: str) -> str | None:
        """The id of what was accepted under this idempotency key; raises as `accept`."""
        return await self._db.read(lambda c: find_key(c, key, fingerprint))

    async def get_jobs(self, ids: Iterable[UUID] | None = None) -> list[Job]:
        """The jobs that have not ended, in order of arrival."""
        if ids is None:
            rows = await self._db.read(lambda c: select(c, f"{_SELECT} ORDER BY seq"))
        else:
            wanted = sorted(str(i) for i in ids)
            rows = await self._db.read(
                lambda c: [r for i in wanted for r in select(c, f"{_SELECT} WHERE id = ?", i)]
            )
        return [job_of(row) for row in rows]

    async def acquire_jobs(
        self, scheduler_id: str, lease_duration: timedelta, limit: int | None = None
    ) -> list[Job]:
        """Take up to `limit` jobs by `fair_shares`, none over the limit of its task or its schedule."""
        if self.draining:
            return []
        choice = _Choice(
            scheduler_id=scheduler_id,
            lease=span(lease_duration) or 0,
            limit=limit if limit is not None else 1 << 30,
            limits={task.id: task.max_running_jobs for task in self._tasks.values()},
            by_task=Counter(job.task_id for job in self._held.values()),
            by_schedule=Counter(job.schedule_id for job in self._held.values() if job.schedule_id),
        )
        jobs, events = await self._db.write(choice.make)
        self._held.update((job.id, job) for job in jobs)
        if jobs:
            self._idle.clear()
        await self._publish(*events)
        return jobs

    async def release_job(self, scheduler_id: str, job: Job, result: JobResult) -> None:
        """Drop the job, whose outcome is in the log; one that was cut off by a stop is given back, to run
        again.

        An outcome that the log does not have yet (missed, or an internal error) is written in the same
        transaction.
        """
        if result.outcome is JobOutcome.cancelled:
            await self._db.write(
                lambda c: _give_back(c, "id = ? AND acquired_by = ?", str(job.id), scheduler_id)
            )
            self._let_go(job.id)
            return
        event = await self._db.write(lambda c: _release(c, scheduler_id, job, result))
        self._let_go(job.id)
        await self._publish(event)

    async def get_job_result(self, job_id: UUID) -> JobResult | None:
        """Always None: results are kept in the execution log."""
        return None

    async def extend_acquired_job_leases(
        self, scheduler_id: str, job_ids: set[UUID], duration: timedelta
    ) -> None:
        """Hold the jobs for another `duration`."""
        until = now_micros() + (span(duration) or 0)
        query = "UPDATE jobs SET acquired_until = ? WHERE acquired_by = ? AND id = ?"
        rows = [(until, scheduler_id, i) for i in sorted(map(str, job_ids))]
        await self._db.write(lambda c: c.executemany(query, rows))

    async def reap_abandoned_jobs(self, scheduler_id: str) -> None:
        """Give back what a dead incarnation of this scheduler had acquired: it runs again, under the same job
        ids.
        """
        self._held.clear()
        self._idle.set()
        await self._db.write(lambda c: _give_back(c, "acquired_by = ?", scheduler_id))

    async def cleanup(self) -> None:
        """Give back jobs whose lease has run out, and drop finished schedules."""
        held = frozenset(map(str, self._held))
        events = await self._db.write(lambda c: _clean(c, held))
        await self._publish(*events)


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One round of acquiring jobs, as a function on the database."""

    scheduler_id: str
    lease: int
    limit: int
    limits: Mapping[str, int | None]
    by_task: Counter[str]
    by_schedule: Counter[str]

    def make(self, c: sqlite3.Connection) -> tuple[list[Job], list[Event]]:
        now = now_micros()
        events: list[Event] = [
            _release(c, self.scheduler_id, job, missed_result(job))
            for job in (
                job_of(row)
                for row in select(c, f"{_SELECT} WHERE acquired_by IS NULL AND start_deadline < ?", now)
            )
        ]
        waiting: list[tuple[Candidate, Job]] = []
        for (task_id,) in select(c, _WAITING_TASKS):
            if task_id in self.limits:
                waiting += self._of_task(c, task_id)
        jobs = admit(waiting, self.by_task, self.limits, self.limit)
        claim = "UPDATE jobs SET acquired_by = ?, acquired_until = ? WHERE id = ?"
        c.executemany(claim, [(self.scheduler_id, now + self.lease, str(job.id)) for job in jobs])
        for job in jobs:
            job.acquired_by = self.scheduler_id
            job.metadata[SEEN] = bool(select(c, "SELECT 1 FROM executions WHERE job_id = ?", str(job.id)))
            events.append(JobAcquired.from_job(job, scheduler_id=self.scheduler_id))
        return jobs, events

    def _of_task(self, c: sqlite3.Connection, task_id: str) -> list[tuple[Candidate, Job]]:
        running = self.by_task[task_id]
        most = self.limits[task_id]
        free = self.limit if most is None else min(self.limit, most - running)
        chosen: list[tuple[Candidate, Job]] = []
        if free <= 0:
            return chosen
        query = f"SELECT {JOB_COLUMNS}, seq FROM jobs WHERE acquired_by IS NULL AND task_id = ? ORDER BY seq"
        for row in c.execute(query, (task_id,)):
            job = job_of(row[:-1])
            schedule_limit = job.metadata.get(SCHEDULE_LIMIT)
            if isinstance(schedule_limit, int) and job.schedule_id is not None:
                # Counted in a copy of this round: _Choice may run again when its batch is repeated.
                under_way = self.by_schedule[job.schedule_id] + sum(
                    j.schedule_id == job.schedule_id for _, j in chosen
                )
                if under_way >= schedule_limit:
                    continue
            chosen.append((Candidate(task_id, running + len(chosen), row[-1]), job))
            if len(chosen) >= free:
                break
        return chosen


def _accept(c: sqlite3.Connection, job: Job, key: str, fingerprint: str) -> str:
    target, is_new = claim_key(c, key, fingerprint, str(job.id))
    if is_new:
        insert_job(c, job)
    return target


def _release(c: sqlite3.Connection, scheduler_id: str, job: Job, result: JobResult) -> JobReleased:
    if result.outcome is not JobOutcome.success:
        insert_record(c, outcome_record(job, result))
    c.execute("DELETE FROM jobs WHERE id = ?", (str(job.id),))
    return JobReleased.from_result(result, scheduler_id, job.task_id, job.schedule_id, job.scheduled_fire_time)


def _give_back(c: sqlite3.Connection, condition: str, *values: Any) -> int:
    query = f"UPDATE jobs SET acquired_by = NULL, acquired_until = NULL WHERE {condition}"
    return c.execute(query, values).rowcount


def _clean(c: sqlite3.Connection, held: frozenset[str]) -> list[Event]:
    expired = [
        job_of(row)
        for row in select(
            c, f"{_SELECT} WHERE acquired_by IS NOT NULL AND acquired_until < ? ORDER BY seq", now_micros()
        )
    ]
    lost = [job for job in expired if str(job.id) not in held]
    for job in lost:
        _give_back(c, "id = ?", str(job.id))
    return [*map(added, lost), *remove_finished(c)]
