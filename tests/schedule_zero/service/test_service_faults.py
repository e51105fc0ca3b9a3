"""`SchedulerService` under strain: handlers that hang, a locked store, a dying scheduler, a stop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.database import StoreBusy
from schedule_zero.errors import StoreUnusable
from schedule_zero.execution_log import Outcome
from schedule_zero.refusals import Stopping
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.store_errors import StoreReplaced

pytestmark = pytest.mark.integration


def test_a_hanging_handler_delays_no_other(kit: Any, tmp_path: Path) -> None:
    """With more jobs waiting for a hung handler than may run at once, another handler's jobs run as if it were
    not.
    """

    async def scene() -> None:
        async with (
            kit.serving(store="sqlite", database=tmp_path / "a.db", per_handler_jobs=4, max_jobs=8) as service,
            kit.handling(service, "hung", concurrency=4) as hung,
            kit.handling(service, "live"),
        ):
            await kit.registered(service, "hung", "live")
            for n in range(20):
                await service.run_now(kit.request("wait", "hung", value=n))
            await kit.until(lambda: len(hung.count) == 4, "four calls at the hung handler")
            for n in range(20):
                job = await kit.done(service, await service.run_now(kit.request(handler="live", value=n)))
                assert job.outcome is Outcome.SUCCESS
                assert (job.ended_at - job.accepted_at).total_seconds() < 1.0
            assert len(hung.count) == 4

    kit.run(scene)


def test_dead_handlers_cannot_take_all_slots(kit: Any, tmp_path: Path) -> None:
    """Eight handlers that never answer could fill `max_jobs` twice over, each within its own limit; the jobs of
    a ninth, the first of which comes after all of theirs, run at once all the same.
    """

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(
                kit.serving(store="sqlite", database=tmp_path / "a.db", per_handler_jobs=4, max_jobs=16)
            )
            names = [f"silent{n}" for n in range(8)]
            silent = [await stack.enter_async_context(kit.handling(service, name)) for name in names]
            good = await stack.enter_async_context(kit.handling(service, "good"))
            await kit.registered(service, "good", *names)
            for n in range(48):
                await service.run_now(kit.request("wait", f"silent{n % 8}", value=n, timeout=60.0))
            await kit.until(lambda: service._store.running_jobs >= 12, "all slots that silence may have")

            for n in range(20):
                job = await kit.done(service, await service.run_now(kit.request(handler="good", value=n)))
                assert job.outcome is Outcome.SUCCESS
                assert (job.ended_at - job.accepted_at).total_seconds() < 1.0

            assert sum(sum(worker.count.values()) for worker in silent) < 16
            assert good.count == dict.fromkeys(range(20), 1)

    kit.run(scene)


def test_a_handler_keeps_the_pace_that_the_deployment_asks_for(kit: Any) -> None:
    """A handler that would report every five seconds reports every 0.2 where the deployment counts it as gone
    after 0.6: it is connected at every look for three seconds.
    """

    async def scene() -> None:
        async with kit.serving(heartbeat=0.2, heartbeat_timeout=0.6) as service:
            worker = kit.Worker("h", server_address=service.registration_address, heartbeat=5.0)
            worker.start()
            try:
                await kit.registered(service, "h")
                seen: Counter[str] = Counter()
                end = time.monotonic() + 3.0
                while time.monotonic() < end:
                    seen.update(handler.status for handler in service.handlers())
                    await asyncio.sleep(0.01)
            finally:
                await asyncio.to_thread(worker.stop, 2.0)
            assert set(seen) == {"Connected"}
            assert seen["Connected"] > 50

    kit.run(scene)


def test_a_stop_is_bounded_and_what_was_cut_off_runs_again_once(kit: Any, tmp_path: Path) -> None:
    """A call that hangs does not hold up the stop; after the next start the job has one outcome, and ran once.

    The handler outlives the server: it answers the repeated request id from its memory.
    """

    async def scene() -> None:
        database = {"store": "sqlite", "database": tmp_path / "a.db", "registry_path": tmp_path / "r.yaml"}
        config = ServiceConfig(retry=kit.QUICK, stop_timeout=0.2, **database)  # type: ignore[arg-type]
        service = SchedulerService(config)
        await service.start()
        port = int(service.registration_address.rpartition(":")[2])
        async with kit.handling(service) as worker:
            await kit.registered(service, "h")
            job_id = await service.run_now(kit.request("wait", value=1))
            await kit.until(lambda: worker.count[1], "the call")
            begun = time.monotonic()
            await service.stop()
            assert time.monotonic() - begun < 5.0
            with pytest.raises(Stopping):
                await service.run_now(kit.request())
            worker.gate.set()
            async with kit.serving(**database, zmq_port=port) as again:
                job = await kit.done(again, job_id)
                assert (job.outcome, job.result) == (Outcome.SUCCESS, 1)
                assert worker.count == {1: 1}
                assert [r.job_id for r in await again.executions()] == [job_id]

    kit.run(scene)


def test_a_locked_store_is_survived(kit: Any, tmp_path: Path) -> None:
    """While another program holds the lock: health says so at once, requests are refused in bounded time, reads answer.

    When the lock goes everything accepted before runs, and what was refused does not.
    """

    async def scene() -> None:
        async with (
            kit.serving(store="sqlite", database=tmp_path / "a.db", lease=1.0, store_timeout=0.5) as service,
            kit.handling(service) as worker,
        ):
            await kit.registered(service, "h")
            await kit.done(service, await service.run_now(kit.request(value="before")))
            running = await service.run_now(kit.request("wait", value="running"))
            await kit.until(lambda: worker.count["running"], "the call")
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            worker.gate.set()
            with pytest.raises(StoreBusy, match=r"within 0\.5 s"):
                await service.run_now(kit.request(value="refused"))
            times = []
            for _ in range(3):
                begun = time.monotonic()
                health = await service.health()
                times.append(time.monotonic() - begun)
            assert min(times) < 0.5
            assert (health.status, health.parts["store"].ok) == ("degraded", False)
            assert "locked" in health.parts["store"].detail
            assert health.parts["scheduler"].ok
            assert len(await service.executions()) == 1
            await asyncio.sleep(2.5)  # the fault's duration: longer than the lease, which cannot be renewed
            other.execute("ROLLBACK")
            other.close()
            assert (await kit.done(service, running)).outcome is Outcome.SUCCESS
            await kit.done(service, await service.run_now(kit.request(value="after")))
            assert worker.count == {"before": 1, "running": 1, "after": 1}
            health = await service.health()
            assert (health.status, health.scheduler_restarts) == ("ok", 0)

    kit.run(scene)


def test_a_scheduler_that_dies_is_started_again(kit: Any) -> None:
    """An error that ends APScheduler's loops is counted, and jobs run on in the next incarnation."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            await kit.done(service, await service.run_now(kit.request()))
            store: Any = service._store
            acquire = store.acquire_jobs

            async def break_once(*args: Any) -> Any:
                store.acquire_jobs = acquire
                raise RuntimeError("struck")

            store.acquire_jobs = break_once
            job = await kit.done(service, await service.run_now(kit.request(value=1)))
            assert job.outcome is Outcome.SUCCESS
            health = await service.health()
            assert (health.scheduler_restarts, health.status) == (1, "ok")

    kit.run(scene)


def test_a_start_that_fails_leaves_nothing(kit: Any, tmp_path: Path) -> None:
    """With the store unusable the start raises, and stopping again is harmless."""

    async def scene() -> None:
        (tmp_path / "a.db").write_text("no database " * 50)
        service = SchedulerService(ServiceConfig(database=tmp_path / "a.db"))
        threads = threading.active_count()
        with pytest.raises(StoreUnusable):
            await service.start()
        await service.stop()
        await kit.until(lambda: threading.active_count() <= threads, "the end of its threads")

    kit.run(scene)


def test_a_database_that_is_moved_away_and_back_is_told_of_twice(
    kit: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However often the scheduler tries to come up meanwhile, the log has one line at the begin and one at the end; a
    job whose call ended in between has its outcome.
    """
    caplog.set_level(logging.WARNING)

    async def scene() -> None:
        async with (
            kit.serving(store="sqlite", database=tmp_path / "a.db") as service,
            kit.handling(service) as worker,
        ):
            await kit.registered(service, "h")
            under_way = await service.run_now(kit.request("wait", value=1))
            await kit.until(lambda: worker.count[1], "the call")
            (tmp_path / "a.db").rename(tmp_path / "elsewhere.db")
            with pytest.raises(StoreReplaced):
                await service.run_now(kit.request(value=2))
            worker.gate.set()
            await kit.until(lambda: service._kept.restarts >= 4, "attempts of the scheduler to come up")
            assert "was removed or replaced" in service._kept.last_error
            (tmp_path / "elsewhere.db").rename(tmp_path / "a.db")
            assert (await kit.done(service, under_way)).outcome is Outcome.SUCCESS
            assert (await kit.done(service, await service.run_now(kit.request(value=3)))).outcome is Outcome.SUCCESS
            assert worker.count == {1: 1, 3: 1}

    kit.run(scene)
    told = [(record.levelname, record.name) for record in caplog.records]
    assert told == [("ERROR", "schedule_zero.storage"), ("WARNING", "schedule_zero.storage")]
