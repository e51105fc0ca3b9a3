"""`SchedulerService` with real handlers over ZeroMQ: accepted, called once, recorded, whatever happens in
between.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import StoreBusy
from schedule_zero.errors import StoreUnusable, UnknownHandler
from schedule_zero.execution_log import Filters, Outcome
from schedule_zero.refusals import AlreadyExists, InvalidRequest, NotFound, Stopping
from schedule_zero.requests import JobState, NewSchedule, Retry, RunNow, ScheduleChange
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.integration

QUICK = RetrySettings(attempts=3, base=0.01, factor=1.0, jitter=0.0)


class Worker(BaseHandler):
    """Counts its calls by value; `wait` stays until `gate` opens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count: Counter[Any] = Counter()
        self.gate = threading.Event()

    def work(self, value: Any = None) -> Any:
        """Count and return the value."""
        self.count[value] += 1
        return value

    def wait(self, value: Any = None) -> Any:
        """Count, wait for the gate, return."""
        self.count[value] += 1
        self.gate.wait(30.0)
        return value

    def echo(self, value: Any) -> Any:
        """Return the value."""
        return value

    def fail(self) -> None:
        """Raise."""
        raise ValueError("no such luck")


@asynccontextmanager
async def handling(service: SchedulerService, handler_id: str = "h", **options: Any) -> AsyncIterator[Worker]:
    """A handler, registered with the service."""
    worker = Worker(handler_id, server_address=service.registration_address, heartbeat=0.2, **options)
    worker.start()
    try:
        yield worker
    finally:
        worker.gate.set()
        # In a thread, because it says goodbye to the server, which answers in this loop.
        await asyncio.to_thread(worker.stop, 2.0)


@asynccontextmanager
async def serving(**config: Any) -> AsyncIterator[SchedulerService]:
    """A started service."""
    settings = {"store": "memory", "retry": QUICK, "call_timeout": 5.0, "stop_timeout": 0.2, **config}
    async with SchedulerService(ServiceConfig(**settings), store_timeout=0.3) as service:
        yield service


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own, with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(60.0):
            await scene()

    asyncio.run(bounded())


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, timeout: float = 15.0) -> Any:
    """Wait for a condition; a failure says what was waited for."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        value = await value if isinstance(value, Awaitable) else value
        if value:
            return value
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited {timeout:g} s in vain for: {what}")


async def registered(service: SchedulerService, *names: str) -> None:
    """Wait until these handlers are connected."""

    def there() -> bool:
        return set(names) <= {h.id for h in service.handlers() if h.status == "Connected"}

    await until(there, f"registration of {names}")


async def done(service: SchedulerService, job_id: str) -> Any:
    """Wait until the job has its outcome; returns its view."""

    async def view() -> Any:
        job = await service.job(job_id)
        return job if job.state is JobState.DONE else None

    return await until(view, f"outcome of {job_id}")


def request(method: str = "work", handler: str = "h", **fields: Any) -> RunNow:
    """A job to run now."""
    value = fields.pop("value", None)
    return RunNow(
        handler_id=handler, job_method=method, job_params={} if method == "fail" else {"value": value}, **fields
    )


def test_a_job_runs_and_its_outcome_can_be_asked_for() -> None:
    """Accepted, called with its parameters, recorded under the id that was answered."""

    async def scene() -> None:
        async with serving() as service, handling(service):
            await registered(service, "h")
            job = await done(service, await service.run_now(request("echo", value=[1, {"a": "é"}])))
            assert (job.outcome, job.result) == (Outcome.SUCCESS, [1, {"a": "é"}])
            assert job.accepted_at <= job.started_at <= job.ended_at
            failed = await done(service, await service.run_now(request("fail")))
            assert failed.outcome is Outcome.ERROR
            assert "no such luck" in failed.error

    run(scene)


def test_states_of_a_job() -> None:
    """Running while the handler works, pending behind its limit, done with the outcome, unknown otherwise."""

    async def scene() -> None:
        async with serving(per_handler_jobs=1) as service, handling(service) as worker:
            await registered(service, "h")
            first = await service.run_now(request("wait", value=1))
            await until(lambda: worker.count[1], "the first call")
            second = await service.run_now(request(value=2))
            assert (await service.job(first)).state is JobState.RUNNING
            assert (await service.job(second)).state is JobState.PENDING
            worker.gate.set()
            assert (await done(service, first)).outcome is Outcome.SUCCESS
            assert (await done(service, second)).outcome is Outcome.SUCCESS
            for unknown in ("x", "00000000-0000-0000-0000-000000000000"):
                with pytest.raises(NotFound):
                    await service.job(unknown)

    run(scene)


def test_a_handler_that_never_registered_is_refused_and_one_that_left_is_not(tmp_path: Path) -> None:
    """A known handler may be away: its job is accepted, tried, and ends unreachable if it stays away."""

    async def scene() -> None:
        async with serving(store="sqlite", database=tmp_path / "a.db") as service:
            with pytest.raises(UnknownHandler, match="'h' has ever registered"):
                await service.run_now(request())
            async with handling(service):
                await registered(service, "h")
                await done(service, await service.run_now(request()))
            job = await done(service, await service.run_now(request(timeout=0.05)))
            assert job.outcome is Outcome.UNREACHABLE
            assert len(job.attempts) == 3

    run(scene)


def test_a_job_waits_for_a_handler_that_is_away(tmp_path: Path) -> None:
    """A handler that comes back within the time-out gets the job in the first attempt, at its new address."""

    async def scene() -> None:
        async with serving() as service:
            async with handling(service):
                await registered(service, "h")
            job_id = await service.run_now(request(value=1))
            await until(lambda: service._store.running_jobs, "the job's first attempt")
            async with handling(service) as worker:
                job = await done(service, job_id)
                assert (job.outcome, len(job.attempts), worker.count) == (Outcome.SUCCESS, 1, {1: 1})

    run(scene)


def test_a_hanging_handler_delays_no_other(tmp_path: Path) -> None:
    """With more jobs waiting for a hung handler than may run at once, another handler's jobs run as if it were
    not.
    """

    async def scene() -> None:
        async with (
            serving(store="sqlite", database=tmp_path / "a.db", per_handler_jobs=4, max_jobs=8) as service,
            handling(service, "hung", concurrency=4) as hung,
            handling(service, "live"),
        ):
            await registered(service, "hung", "live")
            for n in range(20):
                await service.run_now(request("wait", "hung", value=n))
            await until(lambda: len(hung.count) == 4, "four calls at the hung handler")
            for n in range(20):
                job = await done(service, await service.run_now(request(handler="live", value=n)))
                assert job.outcome is Outcome.SUCCESS
                assert (job.ended_at - job.accepted_at).total_seconds() < 1.0
            assert len(hung.count) == 4

    run(scene)


def test_dead_handlers_cannot_take_all_slots(tmp_path: Path) -> None:
    """Eight handlers that never answer could fill `max_jobs` twice over, each within its own limit; the jobs of
    a ninth, the first of which comes after all of theirs, run at once all the same.
    """

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(
                serving(store="sqlite", database=tmp_path / "a.db", per_handler_jobs=4, max_jobs=16)
            )
            names = [f"silent{n}" for n in range(8)]
            silent = [await stack.enter_async_context(handling(service, name)) for name in names]
            good = await stack.enter_async_context(handling(service, "good"))
            await registered(service, "good", *names)
            for n in range(48):
                await service.run_now(request("wait", f"silent{n % 8}", value=n, timeout=60.0))
            await until(lambda: service._store.running_jobs >= 12, "a fill of all slots that silence may have")

            for n in range(20):
                job = await done(service, await service.run_now(request(handler="good", value=n)))
                assert job.outcome is Outcome.SUCCESS
                assert (job.ended_at - job.accepted_at).total_seconds() < 1.0

            assert sum(sum(worker.count.values()) for worker in silent) < 16
            assert good.count == dict.fromkeys(range(20), 1)

    run(scene)


def test_a_handler_keeps_the_pace_that_the_deployment_asks_for() -> None:
    """A handler that would report every five seconds reports every 0.2 where the deployment counts it as gone
    after 0.6: it is connected at every look for three seconds.
    """

    async def scene() -> None:
        async with serving(heartbeat=0.2, heartbeat_timeout=0.6) as service:
            worker = Worker("h", server_address=service.registration_address, heartbeat=5.0)
            worker.start()
            try:
                await registered(service, "h")
                seen: Counter[str] = Counter()
                end = time.monotonic() + 3.0
                while time.monotonic() < end:
                    seen.update(handler.status for handler in service.handlers())
                    await asyncio.sleep(0.01)
            finally:
                await asyncio.to_thread(worker.stop, 2.0)
            assert set(seen) == {"Connected"}
            assert seen["Connected"] > 50

    run(scene)


def test_the_same_request_under_one_key_is_one_job() -> None:
    """Asked ten times at once under one key, the handler works once."""

    async def scene() -> None:
        async with serving() as service, handling(service) as worker:
            await registered(service, "h")
            ids = await asyncio.gather(
                *(service.run_now(request(value=7), idempotency_key="k") for _ in range(10))
            )
            assert len(set(ids)) == 1
            await done(service, ids[0])
            assert worker.count == {7: 1}

    run(scene)


def test_a_stop_is_bounded_and_what_was_cut_off_runs_again_once(tmp_path: Path) -> None:
    """A call that hangs does not hold up the stop; after the next start the job has one outcome, and ran once.

    The handler outlives the server: it answers the repeated request id from its memory.
    """

    async def scene() -> None:
        database = {"store": "sqlite", "database": tmp_path / "a.db", "registry_path": tmp_path / "r.yaml"}
        config = ServiceConfig(retry=QUICK, stop_timeout=0.2, **database)  # type: ignore[arg-type]
        service = SchedulerService(config)
        await service.start()
        port = int(service.registration_address.rpartition(":")[2])
        async with handling(service) as worker:
            await registered(service, "h")
            job_id = await service.run_now(request("wait", value=1))
            await until(lambda: worker.count[1], "the call")
            begun = time.monotonic()
            await service.stop()
            assert time.monotonic() - begun < 5.0
            with pytest.raises(Stopping):
                await service.run_now(request())
            worker.gate.set()
            async with serving(**database, zmq_port=port) as again:
                job = await done(again, job_id)
                assert (job.outcome, job.result) == (Outcome.SUCCESS, 1)
                assert worker.count == {1: 1}
                assert [r.job_id for r in await again.executions()] == [job_id]

    run(scene)


def test_a_locked_store_is_survived(tmp_path: Path) -> None:
    """While another program holds the lock: health says so at once, requests are refused in bounded time and
    withdrawn,

    reads answer. When the lock goes everything accepted before runs, and what was refused does not.
    """

    async def scene() -> None:
        async with (
            serving(store="sqlite", database=tmp_path / "a.db", lease=1.0) as service,
            handling(service) as worker,
        ):
            await registered(service, "h")
            await done(service, await service.run_now(request(value="before")))
            running = await service.run_now(request("wait", value="running"))
            await until(lambda: worker.count["running"], "the call")
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            worker.gate.set()
            with pytest.raises(StoreBusy, match=r"within 0\.3 s"):
                await service.run_now(request(value="refused"))
            begun = time.monotonic()
            health = await service.health()
            assert time.monotonic() - begun < 0.5
            assert (health.status, health.parts["store"].ok) == ("degraded", False)
            assert "locked" in health.parts["store"].detail
            assert health.parts["scheduler"].ok
            assert len(await service.executions()) == 1
            await asyncio.sleep(2.5)  # the fault's duration: longer than the lease, which cannot be renewed
            other.execute("ROLLBACK")
            assert (await done(service, running)).outcome is Outcome.SUCCESS
            await done(service, await service.run_now(request(value="after")))
            assert worker.count == {"before": 1, "running": 1, "after": 1}
            health = await service.health()
            assert (health.status, health.scheduler_restarts) == ("ok", 0)

    run(scene)


def test_a_scheduler_that_dies_is_started_again() -> None:
    """An error that ends APScheduler's loops is counted, and jobs run on in the next incarnation."""

    async def scene() -> None:
        async with serving() as service, handling(service):
            await registered(service, "h")
            await done(service, await service.run_now(request()))
            store: Any = service._store
            acquire = store.acquire_jobs

            async def break_once(*args: Any) -> Any:
                store.acquire_jobs = acquire
                raise RuntimeError("struck")

            store.acquire_jobs = break_once
            job = await done(service, await service.run_now(request(value=1)))
            assert job.outcome is Outcome.SUCCESS
            health = await service.health()
            assert (health.scheduler_restarts, health.status) == (1, "ok")

    run(scene)


def test_schedules_fire_pause_resume_and_go() -> None:
    """An interval fires with its intended time in the log; paused it rests; removed it is gone."""

    async def scene() -> None:
        async with serving() as service, handling(service) as worker:
            await registered(service, "h")
            trigger = {"type": "interval", "seconds": 0.05}
            new = NewSchedule(handler_id="h", job_method="work", trigger=trigger, job_id="tick", coalesce="all")
            assert await service.add_schedule(new) == "tick"
            with pytest.raises(AlreadyExists, match="'tick' is taken"):
                await service.add_schedule(new)
            await until(lambda: worker.count[None] >= 3, "three firings")
            view = await service.change_schedule("tick", ScheduleChange(paused=True))
            assert view.paused is True
            await until(lambda: service._store.running_jobs == 0, "the last firing")
            records = await service.executions(Filters(schedule_id="tick"), limit=3)
            gaps = [
                b.scheduled_for - a.scheduled_for  # type: ignore[operator]
                for a, b in pairwise(records)
            ]
            assert gaps == [timedelta(seconds=0.05)] * 2
            far = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}
            view = await service.change_schedule("tick", ScheduleChange(trigger=far, paused=False))
            assert (view.next_fire_time, view.paused) == (datetime(2099, 1, 1, tzinfo=UTC), False)
            assert [s.id for s in await service.schedules()] == ["tick"]
            await service.remove("tick")
            with pytest.raises(NotFound):
                await service.schedule("tick")

    run(scene)


def test_a_schedule_that_never_fires_is_refused() -> None:
    """An interval that has ended before it begins, or a date that does not exist, is told at once."""

    async def scene() -> None:
        async with serving() as service, handling(service):
            await registered(service, "h")
            trigger = {"type": "cron", "year": 2000}
            with pytest.raises(InvalidRequest, match="would never fire"):
                await service.add_schedule(NewSchedule(handler_id="h", job_method="work", trigger=trigger))

    run(scene)


def test_a_late_firing_within_no_grace_is_missed_and_logged(tmp_path: Path) -> None:
    """A server that was down over a fire time logs the misfire as `missed` when it comes back."""

    async def scene() -> None:
        database = {"store": "sqlite", "database": tmp_path / "a.db"}
        async with serving(**database) as service, handling(service):
            await registered(service, "h")
            late = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
            await service.add_schedule(
                NewSchedule(
                    handler_id="h",
                    job_method="work",
                    trigger={"type": "date", "run_date": late},
                    job_id="late",
                    misfire_grace_time=1.0,
                )
            )
            [record] = await until(lambda: service.executions(), "the misfire")
            assert (record.outcome, record.schedule_id, record.method) == (Outcome.MISSED, "late", "work")

    run(scene)


def test_a_job_has_its_own_retries() -> None:
    """`retry` of the request takes the place of the deployment's."""

    async def scene() -> None:
        async with serving() as service:
            async with handling(service):
                await registered(service, "h")
            job = await done(
                service, await service.run_now(request(timeout=0.05, retry=Retry(attempts=2, base=0.0)))
            )
            assert len(job.attempts) == 2

    run(scene)


def test_events_tell_what_happens() -> None:
    """A listener hears of a job's arrival, acquisition and release."""

    async def scene() -> None:
        async with serving() as service, handling(service):
            await registered(service, "h")
            names: list[str] = []
            unsubscribe = service.subscribe(lambda event: names.append(type(event).__name__))
            await done(service, await service.run_now(request()))
            await until(lambda: "JobReleased" in names, "the release")
            unsubscribe()
            assert [n for n in names if n.startswith("Job")] == ["JobAdded", "JobAcquired", "JobReleased"]

    run(scene)


def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """With the store unusable the start raises, and stopping again is harmless."""

    async def scene() -> None:
        (tmp_path / "a.db").write_text("no database " * 50)
        service = SchedulerService(ServiceConfig(database=tmp_path / "a.db"))
        threads = threading.active_count()
        with pytest.raises(StoreUnusable):
            await service.start()
        await service.stop()
        await until(lambda: threading.active_count() <= threads, "the end of its threads")

    run(scene)
