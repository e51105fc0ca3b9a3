"""The job store: APScheduler's data store on a database of ours, made so that nothing accepted is lost.

Why not APScheduler's own `SQLAlchemyDataStore` (4.0.0a6, read in its source): it does not retry
OperationalError, so one locked database kills the scheduler; it *drops* the jobs of a dead scheduler as
abandoned; the query of `acquire_jobs` cuts to the oldest rows before it looks at each task's limit, so the
backlog of one saturated handler starves all others; its counter of running jobs drifts over crashes; and each
job costs seven transactions. Here a job costs four, shared between all jobs that are under way (see `storage`).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from apscheduler import Event, Job, JobOutcome, JobResult

from schedule_zero.acquiring import SELECT_JOBS, Acquired, Choice, release
from schedule_zero.brokers import LastingBroker
from schedule_zero.clock_shift import shifted_deadline
from schedule_zero.database import Database
from schedule_zero.dialect import Session, for_update, now, select
from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.idempotency import claim_key, find_key
from schedule_zero.refusals import JobUnderWay
from schedule_zero.removing import remove_job
from schedule_zero.row_pages import rows_within
from schedule_zero.rows import JOB_COLUMNS, job_of, metadata_text
from schedule_zero.schema import span
from schedule_zero.storage import Storage
from schedule_zero.store_schedules import ScheduleStore, added, hold, insert_job, remove_finished
from schedule_zero.takings import given_back
from schedule_zero.unreadable import Page, read_rows

__all__ = ["Chooser", "JobStore", "SqliteStore", "clean"]

#: The columns of a job that may be large.
_LARGE: Final = ("kwargs", "metadata")
#: Work that acquires jobs.
Chooser = Callable[[Session], Acquired]


class JobStore(ScheduleStore):
    """A data store on some `Storage`; see the module's text for what it does better."""

    def __init__(self, database: Storage) -> None:
        super().__init__(database)
        #: Jobs acquired by this process and not released: job id -> job.
        self._held: dict[UUID, Job] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        #: The ids of the handlers that are connected to this server at this moment; for a store of several servers.
        self.connected: Callable[[], Iterable[str]] = tuple
        #: The start of the handler of a task that is connected to this server, see `takings`; empty if none is.
        self.starts: Callable[[str], str] = lambda _: ""
        #: How many calls at once the handler of a task gets from this server; None: any number.
        self.places: Callable[[str], int | None] = lambda _: None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._db.name})"

    @property
    def database(self) -> Storage:
        """The database under the store, to be shared with the execution log."""
        return self._db

    @property
    def running_jobs(self) -> int:
        """How many jobs this process has acquired and not yet released."""
        return len(self._held)

    def holds(self, job_id: UUID) -> bool:
        """Whether this process is running the job."""
        return job_id in self._held

    def runs(self, job: Job) -> bool:
        """Whether a stored job is running, here or at another server."""
        return self.holds(job.id)

    def elsewhere(self, handler_id: str) -> bool:
        """Whether the handler is connected to another server on this store, which can call it."""
        return False

    def broker(self) -> LastingBroker:
        """The event broker that belongs to this kind of store."""
        return LastingBroker()

    async def wait_idle(self) -> None:
        """Wait until no job is held."""
        await self._idle.wait()

    @abstractmethod
    def _chooser(self, scheduler_id: str, lease: int, limit: int | None) -> Chooser:
        """How jobs are acquired, as work on the database; `lease` in microseconds."""

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
            rows = await self._db.read(lambda c: select(c, f"{SELECT_JOBS} ORDER BY seq"))
        else:
            wanted = sorted(str(i) for i in ids)
            rows = await self._db.read(
                lambda c: [r for i in wanted for r in select(c, f"{SELECT_JOBS} WHERE id = ?", i)]
            )
        return self.unreadable.take("job", read_rows(rows, job_of), self._logger)

    async def page_jobs(
        self, *, task: str | None = None, acquired: bool | None = None, after: int = 0, limit: int = 100
    ) -> Page[Job, int]:
        """Up to `limit` jobs that have not ended, in order of arrival, from place `after` on.

        There are less on a page if they are large.
        """
        wanted, values = "seq > ?", [after] if task is None else [after, task]
        wanted += "" if task is None else " AND task_id = ?"
        if acquired is not None:
            wanted += f" AND acquired_by IS {'NOT NULL' if acquired else 'NULL'}"
        query = f"SELECT {JOB_COLUMNS}, seq FROM jobs WHERE {wanted} ORDER BY seq LIMIT {int(limit)}"
        rows, cut = await self._db.read(lambda c: rows_within(c, query, values, order="seq", large=_LARGE))
        read = read_rows((row[:-1] for row in rows), job_of)
        jobs = self.unreadable.take("job", read, self._logger)
        return Page(jobs, rows[-1][-1] if rows and (cut or len(rows) == limit) else None, read.wrong)

    async def count_waiting(self) -> int:
        """How many jobs nobody has acquired."""
        query = "SELECT count(*) FROM jobs WHERE acquired_by IS NULL"
        return int(await self._db.read(lambda c: c.execute(query).fetchone()[0]))

    async def acquire_jobs(self, scheduler_id: str, lease_duration: timedelta, limit: int | None = None) -> list[Job]:
        """Take up to `limit` jobs by `fair_shares`, none over the limit of its task or its schedule."""
        if self.draining:
            return []
        acquired = await self._db.write(self._chooser(scheduler_id, span(lease_duration) or 0, limit))
        jobs = acquired.jobs
        self._held.update((job.id, job) for job in jobs)
        if jobs:
            self._idle.clear()
        self.unreadable.take("job", acquired.read, self._logger)
        await self._publish(*acquired.events)
        ahead = timedelta(microseconds=self._db.offset)
        return [shifted_deadline(job, ahead) for job in jobs]

    async def release_job(self, scheduler_id: str, job: Job, result: JobResult) -> None:
        """Drop the job, whose outcome is in the log; one that was cut off by a stop is given back, to run
        again.

        An outcome that the log does not have yet (missed, or an internal error) is written in the same
        transaction.
        """
        if result.outcome is JobOutcome.cancelled:
            metadata = metadata_text(given_back(self._held.get(job.id, job).metadata))
            await self._db.write(lambda c: _take_back(c, scheduler_id, str(job.id), metadata))
            self._let_go(job.id)
            return
        event = await self._db.write(lambda c: release(c, scheduler_id, job, result))
        self._let_go(job.id)
        await self._publish(event)

    async def get_job_result(self, job_id: UUID) -> JobResult | None:
        """Always None: results are kept in the execution log."""
        return None

    async def extend_acquired_job_leases(self, scheduler_id: str, job_ids: set[UUID], duration: timedelta) -> None:
        """Hold the jobs for another `duration`."""
        ids = sorted(map(str, job_ids))
        await self._db.write(lambda c: hold(c, "jobs", scheduler_id, ids, span(duration) or 0))

    async def remove_job(self, job_id: str) -> ExecutionRecord | None:
        """Drop a job that is not running, whether it can be read or not, and write that into the log; returns the
        record, None if there is no such job.

        Raises `JobUnderWay`.
        """
        if any(str(held) == job_id for held in self._held):
            raise JobUnderWay(job_id)
        odd = job_id in self.unreadable.keys("job")
        record = await self._db.write(lambda c: remove_job(c, job_id, odd=odd))
        self.unreadable.forget("job", job_id)
        return record

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
        events = await self._db.write(lambda c: clean(c, held))
        await self._publish(*events)
        await self._expect_late()


class SqliteStore(JobStore):
    """The store of one scheduler. The counts of running jobs live in memory: nobody else runs any."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    def _chooser(self, scheduler_id: str, lease: int, limit: int | None) -> Chooser:
        by_task = Counter(job.task_id for job in self._held.values())
        return Choice(
            scheduler_id=scheduler_id,
            lease=lease,
            limit=limit,
            limits={task.id: task.max_running_jobs for task in self._tasks.values()},
            by_task=by_task,
            by_schedule=Counter(job.schedule_id for job in self._held.values() if job.schedule_id),
            here=by_task,
            starts=self.starts,
            places=self.places,
        ).make


def _accept(c: Session, job: Job, key: str, fingerprint: str) -> str:
    target, is_new = claim_key(c, key, fingerprint, str(job.id))
    if is_new:
        insert_job(c, job)
    return target


def _give_back(c: Session, condition: str, *values: Any) -> int:
    query = f"UPDATE jobs SET acquired_by = NULL, acquired_until = NULL WHERE {condition}"
    return c.execute(query, values).rowcount


def _take_back(c: Session, scheduler_id: str, job_id: str, metadata: str) -> int:
    query = "UPDATE jobs SET acquired_by = NULL, acquired_until = NULL, metadata = ? WHERE id = ? AND acquired_by = ?"
    return c.execute(query, (metadata, job_id, scheduler_id)).rowcount


def clean(c: Session, held: frozenset[str]) -> list[Event]:
    """Give back jobs whose lease has run out, but those that are `held` here, and drop finished schedules.

    Those that cannot be read are given back as well, for a server that can; who cannot tells of them when it meets
    them among the waiting.
    """
    query = f"{SELECT_JOBS} WHERE acquired_by IS NOT NULL AND acquired_until < ? ORDER BY seq{for_update(c)}"
    lost = [row for row in select(c, query, now(c)) if row[0] not in held]
    for row in lost:
        _give_back(c, "id = ?", row[0])
    return [*map(added, read_rows(lost, job_of).items), *remove_finished(c)]
