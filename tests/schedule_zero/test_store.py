"""`SqliteStore`: who gets a slot, what is given back, and what happens in one piece."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from logging import getLogger
from pathlib import Path
from typing import Any, cast

import pytest
from apscheduler import (
    ConflictingIdError,
    ConflictPolicy,
    Event,
    Job,
    JobOutcome,
    JobReleased,
    JobResult,
    Schedule,
    ScheduleResult,
)
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker
from schedule_zero.database import Database
from schedule_zero.errors import ConfigError
from schedule_zero.execution_log import ExecutionLog, Outcome
from schedule_zero.refusals import IdempotencyConflict
from schedule_zero.rows import EXECUTOR, SCHEDULE_LIMIT, SEEN
from schedule_zero.scheduler import handler_task, task_id
from schedule_zero.store import JobStore
from schedule_zero.stores import build_store

pytestmark = pytest.mark.unit

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def opened(url: str = "memory://", handlers: dict[str, int] | None = None) -> AsyncIterator[JobStore]:
    """A started store with one task a handler, each with its limit."""
    store = build_store(url)
    async with AsyncExitStack() as stack:
        await store.database.start()
        stack.push_async_callback(store.database.close)
        broker = LastingBroker()
        await broker.open(stack)
        await store.start(stack, broker, getLogger("test"))
        for handler, limit in (handlers or {"h": 16}).items():
            await store.add_task(handler_task(handler, limit))
        yield store


def job(handler: str = "h", **fields: Any) -> Job:
    """A job for a handler."""
    kwargs = {"handler_id": handler, "method": "m"}
    made: Job = cast("Any", Job)(task_id=task_id(handler), executor=EXECUTOR, kwargs=kwargs, **fields)
    return made


def schedule(name: str = "s", **fields: Any) -> Schedule:
    """A schedule that has been due since the first of January 2026."""
    trigger = IntervalTrigger(hours=1, start_time=NOW)
    values = {"kwargs": {"handler_id": "h", "method": "m"}, "job_executor": EXECUTOR, **fields}
    made: Schedule = cast("Any", Schedule)(id=name, task_id=task_id("h"), trigger=trigger, **values)
    made.next_fire_time = trigger.next()
    return made


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own, with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(20.0):
            await scene()

    asyncio.run(bounded())


def handlers_of(jobs: list[Job]) -> list[str]:
    """The handlers of the jobs, in order."""
    return [str(item.kwargs["handler_id"]) for item in jobs]


def test_the_backlog_of_one_handler_does_not_starve_another() -> None:
    """With 50 older jobs of a saturated handler in front, a free handler's job is taken all the same.

    APScheduler's own store cuts to the oldest `limit` rows first, and would take nothing here.
    """

    async def scene() -> None:
        async with opened(handlers={"busy": 2, "free": 2}) as store:
            for _ in range(50):
                await store.add_job(job("busy"))
            await store.add_job(job("free"))
            assert handlers_of(await store.acquire_jobs("me", LEASE, 2)) == ["busy", "free"]
            assert handlers_of(await store.acquire_jobs("me", LEASE, 10)) == ["busy"]
            assert handlers_of(await store.acquire_jobs("me", LEASE, 10)) == []

    run(scene)


def test_jobs_of_one_handler_are_taken_in_the_order_of_their_arrival() -> None:
    """First in, first out, even if the wall clock says that the second was created earlier."""

    async def scene() -> None:
        async with opened() as store:
            first, second = job(created_at=NOW + timedelta(hours=1)), job(created_at=NOW)
            await store.add_job(first)
            await store.add_job(second)
            assert [j.id for j in await store.acquire_jobs("me", LEASE, 5)] == [first.id, second.id]

    run(scene)


def test_a_schedule_with_a_limit_does_not_hold_up_other_jobs_of_its_handler() -> None:
    """`max_running_jobs` of a schedule counts its own jobs alone."""

    async def scene() -> None:
        async with opened() as store:
            for _ in range(3):
                await store.add_job(job(schedule_id="s", metadata={SCHEDULE_LIMIT: 1}))
            await store.add_job(job())
            taken = await store.acquire_jobs("me", LEASE, 10)
            assert [j.schedule_id for j in taken] == ["s", None]
            assert await store.acquire_jobs("me", LEASE, 10) == []

    run(scene)


def test_the_jobs_of_a_dead_incarnation_come_back_under_their_ids(tmp_path: Path) -> None:
    """What was acquired and not released is there again after a restart, and not recorded as abandoned."""

    async def scene() -> None:
        url = f"sqlite:///{tmp_path / 'a.db'}"
        async with opened(url) as store:
            await store.add_job(job())
            [taken] = await store.acquire_jobs("me", LEASE, 10)
        async with opened(url) as store:
            assert await store.acquire_jobs("me", LEASE, 10) == []
            await store.reap_abandoned_jobs("me")
            [again] = await store.acquire_jobs("me", LEASE, 10)
            assert again.id == taken.id
            assert await ExecutionLog(store.database).count() == 0

    run(scene)


def test_cleanup_gives_back_what_another_identity_let_expire_and_keeps_its_own() -> None:
    """A job whose lease has run out runs again, unless this process is running it (renewal came late)."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_job(job())
            [mine] = await store.acquire_jobs("me", timedelta(seconds=-1), 1)
            await store.cleanup()
            assert await store.acquire_jobs("me", LEASE, 10) == []
            store._held.clear()  # as in another process
            await store.cleanup()
            assert [j.id for j in await store.acquire_jobs("me", LEASE, 10)] == [mine.id]

    run(scene)


def test_a_job_cut_off_by_a_stop_is_given_back_without_an_outcome() -> None:
    """APScheduler releases as cancelled what it cuts off: that is no outcome, the job has to run again."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_job(job())
            [taken] = await store.acquire_jobs("me", LEASE, 10)
            await store.release_job("me", taken, JobResult.from_job(taken, JobOutcome.cancelled))
            assert store.running_jobs == 0
            assert [j.id for j in await store.acquire_jobs("me", LEASE, 10)] == [taken.id]
            assert await ExecutionLog(store.database).get(str(taken.id)) is None

    run(scene)


def test_a_job_that_misses_its_start_deadline_is_logged_as_missed() -> None:
    """It leaves the store with the outcome `missed`, and the scheduler is told."""

    async def scene() -> None:
        async with opened() as store:
            released: list[Event] = []
            assert store._broker is not None
            store._broker.subscribe(released.append, {JobReleased})
            late = job(start_deadline=NOW)
            await store.add_job(late)
            assert await store.acquire_jobs("me", LEASE, 10) == []
            assert await store.get_jobs() == []
            record = await ExecutionLog(store.database).get(str(late.id))
            assert record is not None
            assert (record.outcome, record.handler_id, record.method) == (Outcome.MISSED, "h", "m")
            await asyncio.sleep(0)
            assert [cast("JobReleased", event).outcome for event in released] == [
                JobOutcome.missed_start_deadline
            ]

    run(scene)


def test_a_job_is_marked_when_the_log_knows_it_already() -> None:
    """The mark spares the executor a look into the log for every new job, and makes it look after a crash."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_job(job())
            [taken] = await store.acquire_jobs("me", LEASE, 10)
            assert taken.metadata[SEEN] is False
            await store.database.write(
                lambda c: c.execute(
                    "INSERT INTO executions (job_id, handler_id, method, attempts) VALUES (?, 'h', 'm', '[]')",
                    (str(taken.id),),
                )
            )
            await store.reap_abandoned_jobs("me")
            [again] = await store.acquire_jobs("me", LEASE, 10)
            assert again.metadata[SEEN] is True

    run(scene)


def test_nothing_is_acquired_while_draining() -> None:
    """A store that drains gives out neither jobs nor schedules, and names no next fire time to wait for."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_job(job())
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            store.draining = True
            assert await store.acquire_jobs("me", LEASE, 10) == []
            assert await store.acquire_schedules("me", LEASE, 10) == []
            assert await store.get_next_schedule_run_time() is None

    run(scene)


def test_a_key_that_is_used_again_stands_for_the_first_job() -> None:
    """The same request under the same key adds nothing; another request under it is refused."""

    async def scene() -> None:
        async with opened() as store:
            first = await store.accept(job(), key="k", fingerprint="f")
            assert await store.accept(job(), key="k", fingerprint="f") == first
            with pytest.raises(IdempotencyConflict, match="'k' was used for another request"):
                await store.accept(job(), key="k", fingerprint="g")
            assert [j.id for j in await store.get_jobs()] == [first]

    run(scene)


def test_a_firing_adds_its_jobs_and_moves_the_schedule_on_in_one_piece(tmp_path: Path) -> None:
    """A crash between the two cannot be: before the release nothing of the firing is in the file, after it all
    is.
    """

    async def scene() -> None:
        path = tmp_path / "a.db"
        async with opened(f"sqlite:///{path}") as store:
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            [due] = await store.acquire_schedules("me", LEASE, 10)
            await store.add_job(job(schedule_id="s", scheduled_fire_time=NOW))
            with contextlib.closing(sqlite3.connect(path)) as outside:
                assert outside.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
                await store.release_schedules("me", [result(due, NOW + timedelta(hours=1))])
                assert outside.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
            assert await store.get_next_schedule_run_time() == NOW + timedelta(hours=1)

    run(scene)


def test_a_firing_of_a_schedule_that_was_removed_meanwhile_adds_nothing() -> None:
    """Neither its jobs nor the schedule come back."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            [due] = await store.acquire_schedules("me", LEASE, 10)
            await store.add_job(job(schedule_id="s", scheduled_fire_time=NOW))
            assert await store.remove_schedules(["s"]) == 1
            await store.release_schedules("me", [result(due, NOW + timedelta(hours=1))])
            assert await store.get_jobs() == []
            assert await store.get_schedules() == []

    run(scene)


def test_a_paused_schedule_is_neither_due_nor_waited_for() -> None:
    """It keeps its fire time, and is due again when resumed."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            assert await store.set_paused("s", True)
            assert await store.acquire_schedules("me", LEASE, 10) == []
            assert await store.get_next_schedule_run_time() is None
            assert await store.set_paused("s", False)
            assert [s.id for s in await store.acquire_schedules("me", LEASE, 10)] == ["s"]
            assert not await store.set_paused("unknown", True)

    run(scene)


@pytest.mark.parametrize(
    ("policy", "paused"),
    [(ConflictPolicy.replace, True), (ConflictPolicy.do_nothing, False)],
)
def test_a_taken_schedule_id_is_treated_as_the_policy_says(policy: ConflictPolicy, paused: bool) -> None:
    """`replace` takes its place, `do_nothing` leaves what is there."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            await store.add_schedule(schedule(paused=True), policy)
            assert [s.paused for s in await store.get_schedules()] == [paused]
            with pytest.raises(ConflictingIdError):
                await store.add_schedule(schedule(), ConflictPolicy.exception)

    run(scene)


def test_finished_schedules_go_when_their_last_job_has() -> None:
    """A schedule that will not fire again stays while a job of it waits."""

    async def scene() -> None:
        async with opened() as store:
            await store.add_schedule(schedule(), ConflictPolicy.exception)
            [due] = await store.acquire_schedules("me", LEASE, 10)
            await store.add_job(job(schedule_id="s", scheduled_fire_time=NOW))
            await store.release_schedules("me", [result(due, None)])
            await store.cleanup()
            assert [s.id for s in await store.get_schedules()] == ["s"]
            [taken] = await store.acquire_jobs("me", LEASE, 10)
            await store.release_job("me", taken, JobResult.from_job(taken, JobOutcome.success))
            await store.cleanup()
            assert await store.get_schedules() == []

    run(scene)


def test_parameters_never_name_classes() -> None:
    """A client cannot smuggle an object past the store: APScheduler's magic key is plain data in parameters."""

    async def scene() -> None:
        async with opened() as store:
            evil = {"_apscheduler_json": ["schedule_zero.requests:RunNow", {"handler_id": "x"}]}
            await store.add_job(
                cast("Any", Job)(task_id=task_id("h"), executor=EXECUTOR, kwargs={"params": evil})
            )
            [stored] = await store.get_jobs()
            assert stored.kwargs["params"] == evil

    run(scene)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("memory://", None),
        ("sqlite+aiosqlite://", None),
        ("sqlite:///jobs.db", Path("jobs.db")),
        ("sqlite+aiosqlite:////srv/jobs.db", Path("/srv/jobs.db")),
    ],
)
def test_a_url_names_the_file(url: str, path: Path | None) -> None:
    """Three slashes for a relative path, four for an absolute one, none for memory."""
    database = build_store(url).database
    assert isinstance(database, Database)
    assert database.path == path


def test_a_store_that_is_not_known_is_refused() -> None:
    """Other databases are told apart from a typing error by a clear message."""
    with pytest.raises(ConfigError, match="unknown store 'mysql://x'"):
        build_store("mysql://x")


def result(due: Schedule, next_fire: datetime | None) -> ScheduleResult:
    """The result of a firing, as APScheduler hands it over."""
    made: ScheduleResult = cast("Any", ScheduleResult)(
        schedule_id=due.id,
        task_id=due.task_id,
        trigger=due.trigger,
        last_fire_time=NOW,
        next_fire_time=next_fire,
    )
    return made
