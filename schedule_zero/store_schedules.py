"""The part of the store that keeps schedules.

The jobs of a due schedule and the schedule's next fire time are one transaction here: APScheduler adds the jobs
first and moves the schedule on later, so a crash in between would fire the same time twice under two job ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import Logger
from typing import Any, Final

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
from apscheduler.abc import EventBroker, Trigger

from schedule_zero.apscheduler_fixes.jitter_waited import LATER, LateJobs
from schedule_zero.apscheduler_fixes.long_absence import MOST_MISSED, caught_up
from schedule_zero.clock_shift import shifted_schedule, unshifted_job, unshifted_result
from schedule_zero.dialect import Session, for_update, now, select, upsert
from schedule_zero.idempotency import claim_key
from schedule_zero.row_pages import rows_within
from schedule_zero.rows import (
    JOB_COLUMNS,
    SCHEDULE_COLUMNS,
    job_of,
    job_row,
    marks,
    schedule_of,
    schedule_row,
    trigger_text,
)
from schedule_zero.schema import micros, near_instant, span
from schedule_zero.storage import Storage
from schedule_zero.store_base import TaskStore
from schedule_zero.unreadable import AGAIN, Page, Reading, read_rows

_INSERT_JOB = f"INSERT INTO jobs ({JOB_COLUMNS}) VALUES ({marks(JOB_COLUMNS)}) ON CONFLICT (id) DO NOTHING"
_INSERT = f"INSERT INTO schedules ({SCHEDULE_COLUMNS}) VALUES ({marks(SCHEDULE_COLUMNS)}) ON CONFLICT (id) DO NOTHING"
_REPLACE = upsert("schedules", SCHEDULE_COLUMNS)
_SELECT = f"SELECT {SCHEDULE_COLUMNS} FROM schedules"
_LARGE: Final = ("kwargs", '"trigger"', "metadata")
"""The columns of a schedule that may be large."""
_NEXT_FIRE: Final = 11
"""The place of that column in `SCHEDULE_COLUMNS`."""
_BEFORE_ALL: Final = -(1 << 63)
_WAITING: Final = "FROM schedules WHERE next_fire IS NOT NULL AND paused = 0"
_FREE: Final = f"SELECT next_fire, id {_WAITING} AND acquired_by IS NULL ORDER BY next_fire LIMIT ?"
_HELD: Final = f"SELECT acquired_until, id {_WAITING} AND acquired_by IS NOT NULL ORDER BY acquired_until LIMIT ?"


def insert_job(c: Session, job: Job) -> None:
    """Add a job inside the caller's transaction; harmless when repeated."""
    c.execute(_INSERT_JOB, job_row(job))


def added(job: Job) -> JobAdded:
    """The event of that job's arrival."""
    return JobAdded(job_id=job.id, task_id=job.task_id, schedule_id=job.schedule_id)


class ScheduleStore(TaskStore):
    """Schedules, and the jobs that they make until these are handed over with the next fire time."""

    def __init__(self, database: Storage) -> None:
        super().__init__(database)
        self._fired: dict[str, list[Job]] = {}
        #: Runs that were missed and are not made up for, as too many were, at least.
        self.left_out = 0
        self._late = LateJobs(self._publish, lambda: self.draining)

    async def start(self, exit_stack: AsyncExitStack, event_broker: EventBroker, logger: Logger) -> None:
        """As `TaskStore.start`; jobs of a later time will be told of."""
        await super().start(exit_stack, event_broker, logger)
        await self._expect_late()

    async def _expect_late(self) -> None:
        rows = await self._db.write(lambda c: select(c, f"SELECT {JOB_COLUMNS} FROM jobs WHERE {LATER}"))
        jobs = self.unreadable.take("job", read_rows(rows, job_of), self._logger)
        self._late.put(jobs, timedelta(microseconds=self._db.offset))

    async def add_schedule(self, schedule: Schedule, conflict_policy: ConflictPolicy) -> None:
        """Add the schedule; if its id is taken, do what the policy says (`ConflictingIdError` for
        ``exception``).
        """
        row = schedule_row(schedule)
        await self._added(schedule.id, await self._db.write(lambda c: _add(c, schedule, row, conflict_policy)))

    async def _added(self, schedule_id: str, event: Event | None) -> None:
        if event is not None:
            self.unreadable.forget("schedule", schedule_id)
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

        def work(c: Session) -> tuple[str, ScheduleAdded | ScheduleUpdated | None]:
            target, is_new = claim_key(c, key, fingerprint, schedule.id)
            return target, _add(c, schedule, row, policy) if is_new else None

        target, event = await self._db.write(work)
        await self._added(schedule.id, event)
        return target

    async def remove_schedules(self, ids: Iterable[str]) -> int:  # type: ignore[override]
        """Remove the schedules that exist among `ids`; returns how many."""
        wanted = sorted(set(ids))
        removed = await self._db.write(lambda c: [event for i in wanted for event in _remove(c, i, finished=False)])
        for event in removed:
            self.unreadable.forget("schedule", event.schedule_id)
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

    async def page_schedules(
        self, *, task: str | None = None, after: str = "", limit: int = 1000
    ) -> Page[Schedule, str]:
        """Up to `limit` schedules by id, from the id after `after` on, which is the place of the page before.

        There are less on a page if they are large.
        """
        of_task, values = ("", [after]) if task is None else (" AND task_id = ?", [after, task])
        query = f"{_SELECT} WHERE id > ?{of_task} ORDER BY id LIMIT {int(limit)}"
        rows, cut = await self._db.read(lambda c: rows_within(c, query, values, order="id", large=_LARGE))
        read = read_rows(rows, schedule_of)
        schedules = self.unreadable.take("schedule", read, self._logger)
        return Page(schedules, rows[-1][0] if rows and (cut or len(rows) == limit) else None, read.wrong)

    async def next_schedules(self, limit: int) -> list[Schedule]:
        """Up to `limit` schedules that are not paused, the next to fire first; less if they are large."""
        query = f"{_SELECT} WHERE next_fire IS NOT NULL AND paused = 0 ORDER BY next_fire, id LIMIT {int(limit)}"
        look = partial(rows_within, query=query, values=(), order="next_fire, id", large=_LARGE)
        rows, _ = await self._db.read(look)
        return self._readable(rows)

    async def count_schedules(self) -> tuple[int, int]:
        """How many schedules there are, and how many of them are paused."""
        query = "SELECT count(*), count(CASE WHEN paused <> 0 THEN 1 END) FROM schedules"
        [row] = await self._db.read(lambda c: select(c, query))
        return int(row[0]), int(row[1])

    def _readable(self, rows: Iterable[Sequence[Any]]) -> list[Schedule]:
        return self.unreadable.take("schedule", read_rows(rows, schedule_of), self._logger)

    async def set_paused(self, schedule_id: str, paused: bool) -> bool:
        """Pause or resume without touching the fire times; False if there is no such schedule."""
        return await self._change(schedule_id, "paused = ?", int(paused))

    async def set_trigger(
        self, schedule_id: str, trigger: Trigger, next_fire: datetime, *, paused: bool | None = None
    ) -> bool:
        """Give the schedule its trigger and next fire time anew; a firing under way no longer moves it on.

        `paused` pauses or resumes it in the same statement: between two it might fire.
        """
        change = '"trigger" = ?, next_fire = ?, acquired_by = NULL, acquired_until = NULL'
        values = [trigger_text(trigger), micros(next_fire)]
        if paused is not None:
            change, values = f"{change}, paused = ?", [*values, int(paused)]
        return await self._change(schedule_id, change, *values)

    async def _change(self, schedule_id: str, change: str, *values: Any) -> bool:
        query = f"UPDATE schedules SET {change} WHERE id = ? RETURNING task_id, next_fire"
        rows = await self._db.write(lambda c: select(c, query, *values, schedule_id))
        for task_id, next_fire in rows:
            self.unreadable.forget("schedule", schedule_id)
            await self._publish(_updated(schedule_id, task_id, _shown(next_fire)))
        return bool(rows)

    async def acquire_schedules(self, scheduler_id: str, lease_duration: timedelta, limit: int) -> list[Schedule]:
        """Take up to `limit` due schedules; those that cannot be read are passed over."""
        self._fired.clear()
        if self.draining:
            return []
        lease = span(lease_duration) or 0
        read = await self._db.write(lambda c: _acquire(c, scheduler_id, lease, limit))
        due = self.unreadable.take("schedule", read, self._logger)
        ahead = timedelta(microseconds=self._db.offset)
        present = datetime.now(UTC) - ahead
        schedules = []
        for schedule in due:
            ready = caught_up(schedule, present, tell=partial(self._tell_left_out, schedule.id))
            schedules.append(shifted_schedule(ready, ahead))
        self._fired = {schedule.id: [] for schedule in schedules}
        return schedules

    def _tell_left_out(self, schedule_id: str, count: int, exact: bool) -> None:
        self.left_out += count
        self._logger.warning(
            "schedule %r: %s%d missed runs are left out: of all that are overdue the latest %d are made up for",
            schedule_id,
            "" if exact else "at least ",
            count,
            MOST_MISSED,
        )

    async def release_schedules(self, scheduler_id: str, results: Sequence[ScheduleResult]) -> None:
        """Hand over the jobs of the schedules and move these on, all at once."""
        fired, self._fired = self._fired, {}
        moves = []
        for shifted in results:
            result, ahead = unshifted_result(shifted)
            moves.append((result, [unshifted_job(job, ahead) for job in fired.get(result.schedule_id, ())]))
        if moves:
            events = await self._db.write(lambda c: [e for m in moves for e in _move_on(c, scheduler_id, *m)])
            made = {event.job_id for event in events if isinstance(event, JobAdded)}
            jobs = (job for _, jobs in moves for job in jobs if job.id in made)
            later = self._late.put(jobs, timedelta(microseconds=self._db.offset))
            await self._publish(*(e for e in events if not isinstance(e, JobAdded) or e.job_id not in later))

    async def get_next_schedule_run_time(self) -> datetime | None:
        """When the next schedule is due; None also while draining, when nothing may be acquired."""
        if self.draining:
            return None
        # Through the writer: while the store is locked the scheduler waits here instead of failing.
        first = await self._db.write(partial(_next_due, passed_over=self.unreadable.keys("schedule")))
        return None if first is None else near_instant(first + self._db.offset)

    async def clocks_parted(self, seconds: float) -> None:
        """Have APScheduler look again, if that much later (or earlier) something is due; see `clock_steps`."""
        self._logger.warning("the clock was set by %+.3f s, or this machine slept", seconds)
        self._late.look()
        rows = await self._db.read(_overdue)
        for schedule_id, task_id, due in rows:
            # A microsecond early: APScheduler sleeps until this very time, and wakes up for an earlier one only.
            await self._publish(_updated(schedule_id, task_id, _shown(due - 1)))

    async def extend_acquired_schedule_leases(
        self, scheduler_id: str, schedule_ids: set[str], duration: timedelta
    ) -> None:
        """Hold the schedules for another `duration`."""
        if not schedule_ids:
            return
        ids = sorted(schedule_ids)
        await self._db.write(lambda c: hold(c, "schedules", scheduler_id, ids, span(duration) or 0))


def _add(
    c: Session, schedule: Schedule, row: tuple[Any, ...], policy: ConflictPolicy
) -> ScheduleAdded | ScheduleUpdated | None:
    # Inserted first and looked at afterwards: another server may add the same id at the same moment.
    if not c.execute(_INSERT, row).rowcount:
        if policy is ConflictPolicy.exception:
            raise ConflictingIdError(schedule.id)  # type: ignore[no-untyped-call]
        if policy is ConflictPolicy.do_nothing:
            return None
        c.execute(_REPLACE, row)
        return _updated(schedule.id, schedule.task_id, schedule.next_fire_time)
    return ScheduleAdded(schedule_id=schedule.id, task_id=schedule.task_id, next_fire_time=schedule.next_fire_time)


def _remove(c: Session, schedule_id: str, *, finished: bool, only: str = "") -> list[ScheduleRemoved]:
    rows = select(c, f"DELETE FROM schedules WHERE id = ?{only} RETURNING task_id", schedule_id)
    return [ScheduleRemoved(schedule_id=schedule_id, task_id=row[0], finished=finished) for row in rows]


def remove_finished(c: Session) -> list[ScheduleRemoved]:
    """Drop the schedules that will never fire again and have no job left, inside the caller's transaction."""
    query = (
        "SELECT id FROM schedules WHERE next_fire IS NULL AND acquired_by IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.schedule_id = schedules.id)"
    )
    # Looked at again: another server may have put a new schedule in the place of the finished one.
    still = " AND next_fire IS NULL AND acquired_by IS NULL"
    return [event for (i,) in select(c, query) for event in _remove(c, i, finished=True, only=still)]


def hold(c: Session, table: str, scheduler_id: str, ids: Sequence[str], lease: int) -> None:
    """Prolong the leases of these rows, as far as they are still that scheduler's; `lease` in microseconds."""
    until = now(c) + lease
    query = f"UPDATE {table} SET acquired_until = ? WHERE acquired_by = ? AND id = ?"
    c.executemany(query, [(until, scheduler_id, i) for i in ids])


def _next_due(c: Session, passed_over: frozenset[str]) -> int | None:
    """When there will be something to acquire: a schedule is due, or the lease on one that is due runs out.

    Those that were passed over do not count, but are looked at again now and then.
    """
    # One more than are passed over: among so many is the first that is not.
    most = len(passed_over) + 1
    free = select(c, _FREE, most)
    held = select(c, _HELD, most)
    times = [when for when, key in (*free, *held) if str(key) not in passed_over and isinstance(when, int)]
    again = [now(c) + int(AGAIN * 1_000_000)] if passed_over else []
    return min((*times, *again), default=None)


def _overdue(c: Session) -> list[Any]:
    """The schedule that is due for the longest time, if one is."""
    query = (
        "SELECT id, task_id, next_fire FROM schedules WHERE next_fire <= ? AND paused = 0 AND acquired_by IS NULL"
        " ORDER BY next_fire LIMIT 1"
    )
    return select(c, query, now(c))


def _acquire(c: Session, scheduler_id: str, lease: int, limit: int) -> Reading[Schedule]:
    """Claim the first `limit` due schedules that can be read, however many others are due before them."""
    present = now(c)
    query = (
        f"{_SELECT} WHERE next_fire <= ? AND paused = 0 AND (next_fire, id) > (?, ?)"
        " AND (acquired_by IS NULL OR acquired_by = ? OR acquired_until < ?) ORDER BY next_fire, id LIMIT ?"
    )
    read: Reading[Schedule] = Reading()
    place: tuple[Any, ...] = (_BEFORE_ALL, "")
    while place and len(read.items) < limit:
        wanted = limit - len(read.items)
        rows = select(c, query + for_update(c), present, *place, scheduler_id, present, wanted)
        for row in rows:
            read.add(row, schedule_of)
        place = (rows[-1][_NEXT_FIRE], rows[-1][0]) if len(rows) == wanted else ()
    claim = "UPDATE schedules SET acquired_by = ?, acquired_until = ? WHERE id = ?"
    c.executemany(claim, [(scheduler_id, present + lease, schedule.id) for schedule in read.items])
    return read


def _move_on(c: Session, scheduler_id: str, result: ScheduleResult, jobs: Sequence[Job]) -> list[Event]:
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


def _shown(next_fire: object) -> datetime | None:
    """A stored fire time as an event tells it; it may be none that makes sense."""
    return near_instant(next_fire) if isinstance(next_fire, int) else None


def _updated(schedule_id: str, task_id: str, next_fire: datetime | None) -> ScheduleUpdated:
    return ScheduleUpdated(schedule_id=schedule_id, task_id=task_id, next_fire_time=next_fire)
