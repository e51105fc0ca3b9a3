"""Stored rows that cannot be read: they are passed over, told of and kept, and hold up nothing that can be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from logging import getLogger
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from apscheduler import ConflictPolicy, Job, Schedule, ScheduleResult
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.brokers import LastingBroker
from schedule_zero.dialect import select
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.refusals import NotFound
from schedule_zero.requests import JobState
from schedule_zero.scheduler import handler_task, task_id
from schedule_zero.schema import micros
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.service_events import EventKind, ServiceEvent
from schedule_zero.store import JobStore
from schedule_zero.store_errors import RowUnreadable

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[JobStore], Awaitable[None]]
Stores = Callable[[Scene], None]
MakeJob = Callable[..., Job]
Run = Callable[..., Awaitable[None]]
Break = Callable[[JobStore, int], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgres"])
def on_store(request: pytest.FixtureRequest, opened: Callable[..., Any], within: Callable[..., None]) -> Stores:
    """Plays a scene on a started store with the handler `h`."""

    async def play(scene: Scene) -> None:
        async with opened(request.param, "h") as store:
            await scene(store)

    return lambda scene: within(lambda: play(scene))


def schedule(name: str, due: datetime) -> Schedule:
    """A schedule of the handler."""
    trigger = IntervalTrigger(hours=1, start_time=NOW)
    values = {"task_id": task_id("h"), "trigger": trigger, "job_executor": "async"}
    made: Schedule = cast("Any", Schedule)(id=name, kwargs={"handler_id": "h", "method": "m"}, **values)
    made.next_fire_time = due
    return made


@pytest.fixture
def broken_schedules(run: Run) -> Break:
    """Adds as many schedules that have been due for long, and whose triggers are no triggers."""

    async def add(store: JobStore, count: int) -> None:
        for n in range(count):
            await store.add_schedule(schedule(f"bad{n:03}", NOW + timedelta(seconds=n)), ConflictPolicy.exception)
        await run(store, 'UPDATE schedules SET "trigger" = ?', "no trigger")

    return add


def test_a_hundred_unreadable_schedules_starve_none_behind_them(on_store: Stores, broken_schedules: Break) -> None:
    """APScheduler asks for a hundred at a time: behind 250 that nobody can read, those that can be read are given."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 250)
        for name in "ab":
            await store.add_schedule(schedule(name, NOW + timedelta(days=1)), ConflictPolicy.exception)
        assert [item.id for item in await store.acquire_schedules("me", LEASE, 100)] == ["a", "b"]
        assert store.unreadable.counts() == {"schedule": 250}
        assert await store.count_schedules() == (252, 0)

    on_store(scene)


def test_no_more_schedules_are_given_than_asked_for(on_store: Stores, run: Run) -> None:
    """With good and bad ones in turns, the first good ones are given, in their order, and no others claimed."""

    async def scene(store: JobStore) -> None:
        for n in range(8):
            await store.add_schedule(schedule(f"s{n}", NOW + timedelta(seconds=n)), ConflictPolicy.exception)
        await run(store, "UPDATE schedules SET kwargs = '[1]' WHERE id IN ('s0', 's2', 's3')")
        assert [item.id for item in await store.acquire_schedules("me", LEASE, 2)] == ["s1", "s4"]
        assert [item.id for item in await store.acquire_schedules("you", LEASE, 9)] == ["s5", "s6", "s7"]

    on_store(scene)


def test_the_wait_is_for_what_can_be_read(on_store: Stores, run: Run, broken_schedules: Break) -> None:
    """Overdue rows that cannot be read do not keep the scheduler awake, but are looked at again within a minute."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 3)
        await run(store, "UPDATE schedules SET acquired_by = 'me', acquired_until = 5 WHERE id = 'bad001'")
        assert await store.acquire_schedules("me", LEASE, 100) == []
        again = await store.get_next_schedule_run_time()
        assert again is not None
        assert 5.0 < (again - datetime.now(UTC)).total_seconds() < 60.0
        soon = datetime.now(UTC) + timedelta(seconds=2)
        await store.add_schedule(schedule("good", soon), ConflictPolicy.exception)
        due = await store.get_next_schedule_run_time()
        assert due is not None
        assert abs(due - soon) < timedelta(milliseconds=50)

    on_store(scene)


def test_a_mended_schedule_is_given_and_no_longer_told_of(on_store: Stores, run: Run, broken_schedules: Break) -> None:
    """What was mended in the store, replaced, or given another trigger, fires again; what was removed is forgotten."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 4)
        assert await store.acquire_schedules("me", LEASE, 100) == []
        assert store.unreadable.describe().startswith("passed over, as they cannot be read: schedule 'bad000', ")
        await store.add_schedule(schedule("bad000", NOW), ConflictPolicy.replace)
        await store.set_trigger("bad001", IntervalTrigger(hours=1, start_time=NOW), NOW)
        await store.remove_schedules(["bad002"])
        assert store.unreadable.counts() == {"schedule": 1}
        await run(store, 'UPDATE schedules SET "trigger" = (SELECT s."trigger" FROM schedules s WHERE id = \'bad000\')')
        given = await store.acquire_schedules("me", LEASE, 100)
        assert sorted(item.id for item in given) == ["bad000", "bad001", "bad003"]
        assert store.unreadable.counts() == {}
        assert store.unreadable.describe() == ""

    on_store(scene)


def test_a_server_that_can_read_a_schedule_gets_it_from_one_that_cannot(
    on_store: Stores, broken_schedules: Break
) -> None:
    """Who cannot read a row does not claim it: a newer server on the same store is not kept from it."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 1)
        assert await store.acquire_schedules("old", LEASE, 100) == []
        acquired = await store.database.read(lambda c: select(c, "SELECT acquired_by FROM schedules"))
        assert [tuple(row) for row in acquired] == [(None,)]

    on_store(scene)


@pytest.mark.parametrize(
    "damage",
    [
        "kwargs = 'not json'",
        "kwargs = '[1, 2]'",
        "metadata = '[]'",
        "job_executor = 'threadpool'",
        "id = 'not a uuid'",
        "id = upper(id)",
        "scheduled_fire = 9000000000000000000",
    ],
)
def test_an_unreadable_job_stops_nobody(on_store: Stores, damage: str, job: MakeJob, run: Run) -> None:
    """In front of the backlog of a handler, overdue, or with its lease run out, it is passed over and kept."""

    async def scene(store: JobStore) -> None:
        bad, good = job(), job()
        await store.add_job(bad)
        await run(store, f"UPDATE jobs SET {damage}")
        await store.add_job(good)
        assert [item.id for item in await store.acquire_jobs("me", LEASE, 9)] == [good.id]
        assert store.unreadable.counts() == {"job": 1}
        assert [item.id for item in await store.get_jobs()] == [good.id]
        page = await store.page_jobs()
        assert [item.id for item in page.items] == [good.id]
        assert len(page.wrong) == 1
        await run(store, "UPDATE jobs SET start_deadline = 5 WHERE acquired_by IS NULL")
        assert await store.acquire_jobs("me", LEASE, 9) == []
        await run(store, "UPDATE jobs SET acquired_by = 'dead', acquired_until = 5 WHERE acquired_by IS NULL")
        await store.cleanup()
        assert await store.count_waiting() == 1

    on_store(scene)


def test_unreadable_tasks_and_late_jobs_do_not_keep_a_server_from_starting(
    on_store: Stores, job: MakeJob, run: Run
) -> None:
    """They are passed over when the store starts; the handler's next registration puts the task right."""

    async def scene(store: JobStore) -> None:
        await store.add_job(job(scheduled_fire_time=NOW, jitter=timedelta(seconds=1)))
        await run(store, "UPDATE tasks SET metadata = 'not json'")
        await run(store, "UPDATE jobs SET metadata = 'not json'")
        async with AsyncExitStack() as stack:
            broker = LastingBroker()
            await broker.open(stack)
            await store.start(stack, broker, getLogger("test"))
            assert store.unreadable.counts() == {"job": 1, "task": 1}
            assert not store.has_task_id(task_id("h"))
            await store.cleanup()
            await store.add_task(handler_task("h", 3))
            assert store.unreadable.counts() == {"job": 1}
            await store.cleanup()
            assert store.has_task_id(task_id("h"))

    on_store(scene)


def test_a_firing_goes_on_beside_what_cannot_be_read(on_store: Stores, job: MakeJob, broken_schedules: Break) -> None:
    """A good schedule among bad ones moves on, with its job, as if it were alone."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 2)
        await store.add_schedule(schedule("good", NOW), ConflictPolicy.exception)
        [item] = await store.acquire_schedules("me", LEASE, 100)
        made = job(id=UUID(int=7), schedule_id="good", scheduled_fire_time=NOW)
        await store.add_job(made)
        moved: ScheduleResult = cast("Any", ScheduleResult)(
            schedule_id="good",
            task_id=item.task_id,
            trigger=item.trigger,
            last_fire_time=item.next_fire_time,
            next_fire_time=datetime.now(UTC) + timedelta(hours=1),
        )
        await store.release_schedules("me", [moved])
        assert [item.id for item in await store.acquire_jobs("me", LEASE, 9)] == [made.id]

    on_store(scene)


def test_every_unreadable_row_is_listed_page_by_page(on_store: Stores, job: MakeJob, run: Run) -> None:
    """Each page says which of its rows cannot be read, and why: all pages together name all of them."""

    async def scene(store: JobStore) -> None:
        for n in range(5):
            await store.add_job(job(id=UUID(int=n)))
            await store.add_schedule(schedule(f"s{n}", NOW), ConflictPolicy.exception)
        await run(store, "UPDATE jobs SET metadata = '[]' WHERE id NOT LIKE '%1'")
        await run(store, "UPDATE schedules SET \"coalesce\" = 'never' WHERE id <> 's1'")
        jobs = [await store.page_jobs(limit=3)]
        jobs.append(await store.page_jobs(limit=3, after=jobs[0].place or 0))
        assert [list(page.wrong) for page in jobs] == [[str(UUID(int=n)) for n in which] for which in ((0, 2), (3, 4))]
        assert set(jobs[1].wrong.values()) == {"ValidationError: Expected `object`, got `array`"}
        assert [page.place is None for page in jobs] == [False, True]
        schedules = await store.page_schedules(limit=4)
        assert (schedules.wrong, schedules.place) == (dict.fromkeys(["s0", "s2", "s3"], "KeyError: 'never'"), "s3")

    on_store(scene)


@pytest.mark.parametrize(
    ("damage", "key"), [("kwargs = CAST(x'7b22ff' AS TEXT)", None), ("id = CAST(x'61ff' AS TEXT)", "a\\xff"),
                        ("id = x'ff'", "b'\\xff'")],
)  # fmt: skip
def test_bytes_that_are_no_text_concern_their_row_alone(
    tmp_path: Any, within: Callable[..., None], damage: str, key: str | None, job: MakeJob, run: Run
) -> None:
    """A file with a damaged byte in one row is served but for that, which can be removed by what it is shown as."""

    async def scene() -> None:
        async with SchedulerService(ServiceConfig(store=f"sqlite:///{tmp_path}/jobs.db")) as service:
            store = service._store
            good, bad = job(), job()
            for each in (good, bad):
                await store.add_job(each)
            await run(store, f"UPDATE jobs SET {damage} WHERE id = ?", str(bad.id))
            page = await service.jobs()
            assert [view.job_id for view in page.items] == [str(good.id)]
            assert list(page.wrong) == [key or str(bad.id)]
            await service.remove_job(key or str(bad.id))
            assert (await service.jobs()).wrong == {}
            assert (await service.job(str(good.id))).state is JobState.PENDING

    within(scene)


@pytest.mark.parametrize(
    "damage",
    [
        "attempts = 'not json'",
        'attempts = \'[{"number": "one"}]\'',
        "result = 'not json'",
        "outcome = 'of a newer version'",
        "scheduled_for = 9000000000000000000",
    ],
)
def test_a_record_that_cannot_be_read_is_shown_as_far_as_it_can(on_store: Stores, damage: str, run: Run) -> None:
    """The log goes on to answer, page by page; the damaged record is among the others and says what it is."""

    async def scene(store: JobStore) -> None:
        log = ExecutionLog(store.database)
        for n in range(3):
            ended = NOW + timedelta(seconds=n)
            made = ExecutionRecord(
                job_id=f"j{n}", handler_id="h", method="m", outcome=Outcome.ERROR, ended_at=ended, result=[n]
            )
            await log.record_outcome(made)
        await run(store, f"UPDATE executions SET {damage} WHERE job_id = 'j1'")
        assert [record.job_id for record in await log.query()] == ["j0", "j1", "j2"]
        assert [record.job_id for record in await log.errors()] == ["j2", "j1", "j0"]
        assert (await log.stats())["total"] == 3
        bad = await log.get("j1")
        assert bad is not None
        assert (bad.handler_id, bad.method, bad.ended_at) == ("h", "m", NOW + timedelta(seconds=1))
        assert (bad.error or "").startswith("this record cannot be read in full: ")
        assert bad.outcome is (Outcome.ABANDONED if damage.startswith("outcome") else Outcome.ERROR)
        assert await log.record_outcome(made) is False

    on_store(scene)


def test_the_service_tells_of_what_it_cannot_read(
    tmp_path: Any, within: Callable[..., None], job: MakeJob, run: Run, broken_schedules: Break
) -> None:
    """Health names the rows and stays well, asking for one says why it is not shown, and a replacement helps."""

    async def scene() -> None:
        async with SchedulerService(ServiceConfig(store=f"sqlite:///{tmp_path}/jobs.db")) as service:
            store = service._store
            await store.add_task(handler_task("h", 3))
            await broken_schedules(store, 1)
            unreadable = uuid4()
            await store.add_job(job(id=unreadable))
            await run(store, "UPDATE jobs SET metadata = 'not json'")
            with pytest.raises(RowUnreadable, match=r"the stored job .* cannot be read"):
                await service.job(str(unreadable))
            with pytest.raises(RowUnreadable, match=r"'bad000' cannot be read .* replace it, or remove it"):
                await service.schedule("bad000")
            health = await service.health()
            assert health.status == "ok"
            told = f"passed over, as they cannot be read: job '{unreadable}', schedule 'bad000'; the log says why"
            assert health.parts["store"].detail == told
            assert service.unreadable_rows() == {"job": 1, "schedule": 1}
            await service.remove("bad000")
            assert service.unreadable_rows() == {"job": 1}
            heard: list[ServiceEvent] = []
            service.on_event = heard.append
            await service.remove_job(str(unreadable))
            assert service.unreadable_rows() == {}
            view = await service.job(str(unreadable))
            assert (view.state, view.outcome) == (JobState.DONE, Outcome.CANCELLED)
            ends = [(event.kind, event.job_id, event.outcome) for event in heard]
            assert ends == [(EventKind.JOB_FINISHED, str(unreadable), Outcome.CANCELLED)]
            with pytest.raises(NotFound, match="that waits"):
                await service.remove_job(str(unreadable))

    within(scene)


def test_each_is_logged_once(
    on_store: Stores, caplog: pytest.LogCaptureFixture, run: Run, broken_schedules: Break
) -> None:
    """However often it is met, and once more if it is damaged again after it was put right."""

    async def scene(store: JobStore) -> None:
        await broken_schedules(store, 1)
        for _ in range(3):
            await store.acquire_schedules("me", LEASE, 100)
        assert caplog.text.count("'bad000' cannot be read and is passed over: ") == 1
        due = micros(NOW)
        await store.add_schedule(schedule("bad000", NOW), ConflictPolicy.replace)
        await run(store, "UPDATE schedules SET paused = 0, kwargs = '[1]', next_fire = ?", due)
        await store.acquire_schedules("me", LEASE, 100)
        assert caplog.text.count("'bad000' cannot be read and is passed over: ") == 2
        assert store.unreadable.found == 2

    on_store(scene)
