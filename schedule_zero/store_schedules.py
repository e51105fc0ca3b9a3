"""The part of the store that keeps schedules.

The jobs of a due schedule and the schedule's next fire time are one transaction here: APScheduler adds the jobs
first and moves the schedule on later, so a crash in between would fire the same time twice under two job ids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from apscheduler import (
    ConflictingIdError,
    ConflictPolicy,
    Event,
    Job,
    JobAdded,
    Schedule,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleResult,
    ScheduleUpdated,
    SerializationError,
)
from apscheduler.abc import Trigger

from schedule_zero.database import Database
from schedule_zero.idempotency import claim_key
from schedule_zero.rows import (
    JOB_COLUMNS,
    SCHEDULE_COLUMNS,
    job_row,
    marks,
    schedule_of,
    schedule_row,
    trigger_text,
)
from schedule_zero.schema import instant, micros, now_micros, span
from schedule_zero.store_base import TaskStore, select

_INSERT_JOB = f"INSERT OR IGNORE INTO jobs ({JOB_COLUMNS}) VALUES ({marks(JOB_COLUMNS)})"
_SELECT = f"SELECT {SCHEDULE_COLUMNS} FROM schedules"


def insert_job(connection: sqlite3.Connection, job: Job) -> None:
    """Add a job inside the caller's transaction; harmless when repeated."""
    connection.execute(_INSERT_JOB, job_row(job))


def added(job: Job) -> JobAdded:
    """The event of that job's arrival."""
    return JobAdded(job_id=job.id, task_id=job.task_id, schedule_id=job.schedule_id)


class ScheduleStore(TaskStore):
    """Schedules, and the jobs that they make until these are handed over with the next fire time."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._fired: dict[str, list[Job]] = {}

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        """Add the schedule; if its id is taken, do what the policy says (`ConflictingIdError` for
        ``exception``).
        """
        row = schedule_row(schedule)
        event = await self._db.write(lambda c: _add(c, schedule, row, conflict_policy))
        if event is not None:
            await self._publish(event)

    async def accept_schedule(
        self, schedule: Schedule, policy: ConflictPolicy, *, key: str | None = None, fingerprint: str = ""
    ) -> str:
        """`add_schedule` with its idempotency key in one transaction; returns the id that the key stands for.

        Raises `ConflictingIdError`, and `IdempotencyConflict` if the key was used for another request.
        """
        if key is None:
            await self.add_schedule(schedule, policy)
            return schedule.id
        row = schedule_row(schedule)

        def work(c: sqlite3.Connection) -> tuple[str, ScheduleAdded | ScheduleUpdated | None]:
            target, is_new = claim_key(c, key, fingerprint, schedule.id)
            return target, _add(c, schedule, row, policy) if is_new else None

        target, event = await self._db.write(work)
        if event is not None:
            await self._publish(event)
        return target

    async def remove_schedules(self, ids: Iterable[str]) -> int:  # type: ignore[override]
        """Remove the schedules that exist among `ids`; returns how many."""
        wanted = sorted(set(ids))
        removed = await self._db.write(
            lambda c: [event for i in wanted for event in _remove(c, i, finished=False)]
        )
        await self._publish(*removed)
        return len(removed)

    async def get_schedules(self, ids: set[str] | None = None) -> list[Schedule]:
        """The schedules by id; those whose row cannot be read are left out and logged."""
        if ids is None:
            rows = await self._db.read(lambda c: select(c, f"{_SELECT} ORDER BY id"))
        else:
            query = f"{_SELECT} WHERE id = ?"
            rows = await self._db.read(lambda c: [row for i in sorted(ids) for row in select(c, query, i)])
        return self._readable(rows)

    def _readable(self, rows: Iterable[Sequence[Any]]) -> list[Schedule]:
        schedules = []
        for row in rows:
            try:
                schedules.append(schedule_of(row))
            except Exception:
                self._logger.exception("the stored schedule %r cannot be read and is passed over", row[0])
        return schedules

    async def set_paused(self, schedule_id: str, paused: bool) -> bool:
        """Pause or resume without touching the fire times; False if there is no such schedule."""
        return await self._change(schedule_id, "paused = ?", int(paused))

    async def set_trigger(self, schedule_id: str, trigger: Trigger, next_fire: datetime) -> bool:
        """Give the schedule its trigger and next fire time anew; a firing under way no longer moves it on."""
        change = '"trigger" = ?, next_fire = ?, acquired_by = NULL, acquired_until = NULL'
        return await self._change(schedule_id, change, trigger_text(trigger), micros(next_fire))

    async def _change(self, schedule_id: str, change: str, *values: Any) -> bool:
        query = f"UPDATE schedules SET {change} WHERE id = ? RETURNING task_id, next_fire"
        rows = await self._db.write(lambda c: select(c, query, *values, schedule_id))
        for task_id, next_fire in rows:
            await self._publish(_updated(schedule_id, task_id, instant(next_fire)))
        return bool(rows)

    async def acquire_schedules(
        self, scheduler_id: str, lease_duration: timedelta, limit: int
    ) -> list[Schedule]:
        """Take up to `limit` due schedules."""
        self._fired.clear()
        if self.draining:
            return []
        lease = span(lease_duration) or 0
        rows = await self._db.write(lambda c: _acquire(c, scheduler_id, lease, limit))
        schedules = self._readable(rows)
        self._fired = {schedule.id: [] for schedule in schedules}
        return schedules

    async def release_schedules(self, scheduler_id: str, results: Sequence[ScheduleResult]) -> None:
        """Hand over the jobs of the schedules and move these on, all at once."""
        fired, self._fired = self._fired, {}
        moves = [(result, fired.get(result.schedule_id, ())) for result in results]
        if moves:
            events = await self._db.write(lambda c: [e for m in moves for e in _move_on(c, scheduler_id, *m)])
            await self._publish(*events)

    async def get_next_schedule_run_time(self) -> datetime | None:
        """When the next schedule is due; None also while draining, when nothing may be acquired."""
        if self.draining:
            return None
        query = (
            "SELECT min(next_fire) FROM schedules"
            " WHERE next_fire IS NOT NULL AND paused = 0 AND acquired_by IS NULL"
        )
        # Through the writer: while the store is locked the scheduler waits here instead of failing.
        return instant(await self._db.write(lambda c: c.execute(query).fetchone()[0]))

    async def extend_acquired_schedule_leases(
        self, scheduler_id: str, schedule_ids: set[str], duration: timedelta
    ) -> None:
        """Hold the schedules for another `duration`."""
        if not schedule_ids:
            return
        until = now_micros() + (span(duration) or 0)
        query = "UPDATE schedules SET acquired_until = ? WHERE acquired_by = ? AND id = ?"
        rows = [(until, scheduler_id, i) for i in sorted(schedule_ids)]
        await self._db.write(lambda c: c.executemany(query, rows))


def _add(
    c: sqlite3.Connection, schedule: Schedule, row: tuple[Any, ...], policy: ConflictPolicy
) -> ScheduleAdded | ScheduleUpdated | None:
    taken = c.execute("SELECT 1 FROM schedules WHERE id = ?", (schedule.id,)).fetchone() is not None
    if taken and policy is ConflictPolicy.exception:
        raise ConflictingIdError(schedule.id)  # type: ignore[no-untyped-call]
    if taken and policy is ConflictPolicy.do_nothing:
        return None
    c.execute(f"INSERT OR REPLACE INTO schedules ({SCHEDULE_COLUMNS}) VALUES ({marks(SCHEDULE_COLUMNS)})", row)
    if taken:
        return _updated(schedule.id, schedule.task_id, schedule.next_fire_time)
    return ScheduleAdded(
        schedule_id=schedule.id, task_id=schedule.task_id, next_fire_time=schedule.next_fire_time
    )


def _remove(c: sqlite3.Connection, schedule_id: str, *, finished: bool) -> list[ScheduleRemoved]:
    rows = select(c, "DELETE FROM schedules WHERE id = ? RETURNING task_id", schedule_id)
    return [ScheduleRemoved(schedule_id=schedule_id, task_id=row[0], finished=finished) for row in rows]


def remove_finished(c: sqlite3.Connection) -> list[ScheduleRemoved]:
    """Drop the schedules that will never fire again and have no job left, inside the caller's transaction."""
    query = (
        "SELECT id FROM schedules WHERE next_fire IS NULL AND acquired_by IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.schedule_id = schedules.id)"
    )
    return [event for (i,) in select(c, query) for event in _remove(c, i, finished=True)]


def _acquire(c: sqlite3.Connection, scheduler_id: str, lease: int, limit: int) -> list[Any]:
    now = now_micros()
    query = (
        f"{_SELECT} WHERE next_fire <= ? AND paused = 0"
        " AND (acquired_by IS NULL OR acquired_by = ? OR acquired_until < ?) ORDER BY next_fire, id LIMIT ?"
    )
    rows = select(c, query, now, scheduler_id, now, limit)
    claim = "UPDATE schedules SET acquired_by = ?, acquired_until = ? WHERE id = ?"
    c.executemany(claim, [(scheduler_id, now + lease, row[0]) for row in rows])
    return rows


def _move_on(
    c: sqlite3.Connection, scheduler_id: str, result: ScheduleResult, jobs: Sequence[Job]
) -> list[Event]:
    try:
        trigger = trigger_text(result.trigger)
    except SerializationError:
        return list(_remove(c, result.schedule_id, finished=True))
    moved = c.execute(
        'UPDATE schedules SET "trigger" = ?, last_fire = ?, next_fire = ?, acquired_by = NULL,'
        " acquired_until = NULL WHERE id = ? AND acquired_by = ?",
        (
            trigger,
            micros(result.last_fire_time),
            micros(result.next_fire_time),
            result.schedule_id,
            scheduler_id,
        ),
    ).rowcount
    if not moved:
        return []  # removed, replaced or rescheduled meanwhile: this firing is no longer wanted
    for job in jobs:
        insert_job(c, job)
    return [*map(added, jobs), _updated(result.schedule_id, result.task_id, result.next_fire_time)]


def _updated(schedule_id: str, task_id: str, next_fire: datetime | None) -> ScheduleUpdated:
    return ScheduleUpdated(schedule_id=schedule_id, task_id=task_id, next_fire_time=next_fire)
