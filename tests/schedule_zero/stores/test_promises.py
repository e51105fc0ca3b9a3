"""What our stores promise beyond APScheduler's interface, asked of memory, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from apscheduler import (
    CoalescePolicy,
    ConflictPolicy,
    Event,
    Job,
    JobOutcome,
    JobReleased,
    JobResult,
    Schedule,
    ScheduleResult,
)

from schedule_zero import execution_log
from schedule_zero.execution_log import Cursor, ExecutionLog, ExecutionRecord, Filters, Outcome
from schedule_zero.idempotency import forget_old_keys
from schedule_zero.refusals import IdempotencyConflict
from schedule_zero.requests import ScheduleChange
from schedule_zero.rows import SCHEDULE_LIMIT, SEEN
from schedule_zero.schedules import Schedules
from schedule_zero.schema import micros
from schedule_zero.store import JobStore
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAR = datetime(2098, 1, 1, tzinfo=UTC)
Scene = Callable[[JobStore, ExecutionLog], Awaitable[None]]
Stores = Callable[[Scene], None]
MakeJob = Callable[..., Job]
MakeSchedule = Callable[..., Schedule]
MakeRecord = Callable[..., ExecutionRecord]


def moved(item: Schedule) -> ScheduleResult:
    """What the scheduler hands back for a schedule it has processed."""
    made: ScheduleResult = cast("Any", ScheduleResult)(
        schedule_id=item.id,
        task_id=item.task_id,
        trigger=item.trigger,
        last_fire_time=item.next_fire_time,
        next_fire_time=item.trigger.next(),
    )
    return made


def test_a_key_stands_for_one_request(on_store: Stores, job: MakeJob) -> None:
    """The same request again gets the first job; another one under the key is refused; only one job is there."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        first = job()
        assert await store.accept(first, key="k", fingerprint="f") == first.id
        again = await asyncio.gather(*(store.accept(job(), key="k", fingerprint="f") for _ in range(5)))
        assert set(again) == {first.id}
        with pytest.raises(IdempotencyConflict):
            await store.accept(job(), key="k", fingerprint="other")
        assert [item.id for item in await store.get_jobs()] == [first.id]
        assert await store.find_accepted("k", "f") == str(first.id)
        assert await store.database.write(forget_old_keys) == 0

    on_store(scene)


def test_the_jobs_of_a_dead_incarnation_come_back_under_their_ids(
    on_store: Stores, job: MakeJob, record: MakeRecord
) -> None:
    """What was acquired and not released runs again: it is not dropped as abandoned."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        given = job()
        await store.add_job(given)
        assert [item.metadata[SEEN] for item in await store.acquire_jobs("me", LEASE, 9)] == [False]
        await log.record_attempt(record(str(given.id), None))
        await store.reap_abandoned_jobs("me")
        [again] = await store.acquire_jobs("me", LEASE, 9)
        assert (again.id, again.metadata[SEEN]) == (given.id, True)

    on_store(scene)


def test_a_job_whose_lease_has_run_out_comes_free_and_nobody_elses(on_store: Stores, job: MakeJob) -> None:
    """Cleanup gives back what another scheduler let expire, and keeps what this process is running."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        await store.add_job(job())
        [mine] = await store.acquire_jobs("me", -LEASE, 9)
        await store.cleanup()
        assert await store.acquire_jobs("me", LEASE, 9) == []
        store._held.clear()  # as in another process
        await store.cleanup()
        assert [item.id for item in await store.acquire_jobs("me", LEASE, 9)] == [mine.id]

    on_store(scene)


def test_a_job_cut_off_by_a_stop_is_given_back(on_store: Stores, job: MakeJob) -> None:
    """What APScheduler calls cancelled has no outcome: it waits for the next start."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        await store.add_job(job())
        [taken] = await store.acquire_jobs("me", LEASE, 9)
        await store.release_job("me", taken, JobResult.from_job(taken, JobOutcome.cancelled))
        assert [item.acquired_by for item in await store.get_jobs()] == [None]
        assert await log.count() == 0

    on_store(scene)


def test_a_missed_job_is_in_the_log(on_store: Stores, job: MakeJob) -> None:
    """A job dropped after its deadline leaves the store and gets its outcome in one transaction."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        late = job(start_deadline=NOW)
        await store.add_job(late)
        events: list[Event] = []
        assert store._broker is not None
        store._broker.subscribe(events.append, {JobReleased})
        assert await store.acquire_jobs("me", LEASE, 9) == []
        kept = await log.get(str(late.id))
        assert kept is not None
        assert kept.outcome is Outcome.MISSED
        assert await store.get_jobs() == []
        await asyncio.sleep(0)
        assert len(events) == 1

    on_store(scene)


def test_a_backlog_starves_nobody(on_store: Stores, job: MakeJob) -> None:
    """With older jobs of a saturated handler in front, another handler's job is taken all the same."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for _ in range(40):
            await store.add_job(job("h"))
        await store.add_job(job("other"))
        taken = [str(item.kwargs["handler_id"]) for item in await store.acquire_jobs("me", LEASE, 8)]
        assert sorted(taken) == ["h", "h", "h", "other"]
        assert await store.acquire_jobs("me", LEASE, 8) == []

    on_store(scene)


def test_a_schedules_own_limit_holds(on_store: Stores, job: MakeJob) -> None:
    """Of a schedule that may run one job at a time one is taken, and other jobs behind the rest of its backlog."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for _ in range(30):
            await store.add_job(job(schedule_id="s", metadata={SCHEDULE_LIMIT: 1}))
        await store.add_job(job())
        taken = await store.acquire_jobs("me", LEASE, 9)
        assert [item.schedule_id for item in taken] == ["s", None]
        assert await store.acquire_jobs("me", LEASE, 9) == []

    on_store(scene)


def test_a_firing_is_all_or_nothing(on_store: Stores, job: MakeJob, schedule: MakeSchedule) -> None:
    """The jobs of a due schedule appear with its next fire time, and not at all if it was removed meanwhile."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for name in ("kept", "gone"):
            await store.add_schedule(schedule(name), ConflictPolicy.exception)
        due = {item.id: item for item in await store.acquire_schedules("me", LEASE, 9)}
        for name in due:
            await store.add_job(job(schedule_id=name, scheduled_fire_time=NOW))
        assert await store.get_jobs() == []
        await store.remove_schedules(["gone"])
        await store.release_schedules("me", [moved(item) for item in due.values()])
        assert [item.schedule_id for item in await store.get_jobs()] == ["kept"]
        [left] = await store.get_schedules()
        assert left.next_fire_time is not None
        assert abs(left.next_fire_time - NOW - timedelta(hours=1)) < timedelta(milliseconds=50)

    on_store(scene)


def test_runs_that_are_left_out_are_told(
    on_store: Stores, caplog: pytest.LogCaptureFixture, schedule: MakeSchedule
) -> None:
    """Every second of an hour was missed and wanted: the latest thousand are made up for, of the others one line says
    how many they are.
    """

    async def scene(store: JobStore, _: ExecutionLog) -> None:
        begun = datetime.now(UTC).replace(microsecond=500_000) - timedelta(seconds=3600)
        trigger = build_trigger({"type": "interval", "seconds": 1, "start_time": begun.isoformat()})
        await store.add_schedule(schedule("s", trigger, coalesce=CoalescePolicy.all), ConflictPolicy.exception)
        [due] = await store.acquire_schedules("me", LEASE, 10)
        assert due.next_fire_time is not None
        told = [line.getMessage() for line in caplog.records if "left out" in line.getMessage()]
        assert store.left_out == (due.next_fire_time - begun) // timedelta(seconds=1) >= 2600
        end = "missed runs are left out: of all that are overdue the latest 1000 are made up for"
        assert told == [f"schedule 's': {store.left_out} {end}"]

    on_store(scene)


@pytest.mark.parametrize(
    ("before", "pause", "after"),
    [(FAR, True, NOW), (NOW, False, FAR)],
    ids=["paused with a time that is past", "resumed with a time to come"],
)
def test_a_schedule_is_paused_and_rescheduled_at_once(
    on_store: Stores, before: datetime, pause: bool, after: datetime, schedule: MakeSchedule
) -> None:
    """At no moment is it due by the new trigger and not paused yet, nor resumed and due by the old one."""

    async def scene(store: JobStore, _: ExecutionLog) -> None:
        there = schedule()
        there.next_fire_time, there.paused = before, not pause
        await store.add_schedule(there, ConflictPolicy.exception)
        write, looking, fired = store.database.write, False, []

        async def write_and_look(work: Any) -> Any:
            nonlocal looking
            done = await write(work)
            if not looking:
                looking = True
                fired.extend(await store.acquire_schedules("me", LEASE, 10))
                looking = False
            return done

        store.database.write = write_and_look  # type: ignore[method-assign]
        change = ScheduleChange(paused=pause, trigger={"type": "date", "run_date": after.isoformat()})
        await Schedules(store, cast("Any", None), misfire_grace=None).change("s", change)
        assert fired == []
        [found] = await store.get_schedules()
        assert (found.paused, found.next_fire_time) == (pause, after)

    on_store(scene)


def test_the_first_outcome_stays(on_store: Stores, record: MakeRecord) -> None:
    """A second one is refused, whoever brings it."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        assert await log.record_start(record("a", None)) is True
        assert await log.record_start(record("a", None)) is False
        assert await log.record_outcome(record("a", result={"n": [1, None, "\N{SNOWMAN}"]})) is True
        assert await log.record_outcome(record("a", Outcome.ERROR, 5, error="late")) is False
        kept = await log.get("a")
        assert kept is not None
        assert (kept.outcome, kept.error, kept.result) == (Outcome.SUCCESS, None, {"n": [1, None, "\N{SNOWMAN}"]})

    on_store(scene)


def test_the_log_is_asked_and_purged(on_store: Stores, record: MakeRecord) -> None:
    """Filters, pages, counts, statistics and bounds, all the same on every database."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for n in range(10):
            outcome = Outcome.ERROR if n % 5 == 0 else Outcome.SUCCESS
            await log.record_outcome(record(f"job{n}", outcome, n, handler_id="h" if n < 6 else "other"))
        await log.record_attempt(record("goes on", None))
        assert [item.job_id for item in await log.query(limit=2, offset=1)] == ["job1", "job2"]
        after = Cursor(micros(NOW + timedelta(minutes=7)) or 0, "job7")
        assert [item.job_id for item in await log.query(Filters(after=after))] == ["job8", "job9"]
        wanted = Filters(handler_id="h", outcome=Outcome.SUCCESS, since=NOW + timedelta(minutes=3), newest=True)
        assert [item.job_id for item in await log.query(wanted)] == ["job4", "job3"]
        assert [item.job_id for item in await log.errors()] == ["job5", "job0"]
        stats = await log.stats()
        assert (stats["total"], stats["by_handler"]["other"]) == (10, {"success": 4})
        assert await log.purge(max_count=4) == 6
        assert await log.purge(max_age=1.0) == 4
        assert await log.count() == 0
        assert await log.get("goes on") is not None
        assert await log.clear() == 0

    on_store(scene)


def test_the_log_is_dropped_in_many_short_transactions(
    on_store: Stores, monkeypatch: pytest.MonkeyPatch, record: MakeRecord
) -> None:
    """Others have their turn between them, and a limit on the time holds for each by itself."""
    monkeypatch.setattr(execution_log, "_MOMENT", 0.0)

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        turns = 0

        async def one(work: Any) -> Any:
            nonlocal turns
            turns += 1
            return await work

        for n in range(6):
            await log.record_outcome(record(f"job{n}", minute=n))
        await log.record_attempt(record("goes on", None))
        assert await log.purge(max_count=4, each=one) == 2
        assert turns >= 3
        assert [item.job_id for item in await log.query()] == ["job2", "job3", "job4", "job5"]
        assert await log.clear(each=one) == 4
        assert turns >= 8
        assert await log.get("goes on") is not None

    on_store(scene)


def test_an_outcome_stays_in_the_log_while_its_job_is_in_the_store(
    on_store: Stores, job: MakeJob, record: MakeRecord
) -> None:
    """Only the outcome keeps such a job from running again after a crash: purging spares it."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        given = job(id=UUID(int=5))
        await store.add_job(given)
        await log.record_outcome(record(str(given.id)))
        assert await log.purge(max_age=1.0, max_count=0) == 0
        [taken] = await store.acquire_jobs("me", LEASE, 9)
        await store.release_job("me", taken, JobResult.from_job(taken, JobOutcome.success))
        assert await log.purge(max_age=1.0) == 1

    on_store(scene)
