"""How `SchedulerService` stops: what it waits for, what it gives back, what it says."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.execution_log import Outcome
from schedule_zero.requests import JobState
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig

pytestmark = pytest.mark.integration


def stored(folder: Path) -> dict[str, Any]:
    """The settings by which a service and its successor share what is durable."""
    return {"store": "sqlite", "database": folder / "a.db", "registry_path": folder / "r.yaml"}


async def started(kit: Any, folder: Path, **more: Any) -> SchedulerService:
    """A service with a stop_timeout of ten seconds, stopped by the test itself."""
    settings = {"retry": kit.QUICK, "call_timeout": 30.0, "stop_timeout": 10.0, **more}
    service = SchedulerService(ServiceConfig(**stored(folder), **settings))
    await service.start()
    return service


def test_jobs_of_a_handler_that_is_gone_do_not_hold_up_the_stop(kit: Any, tmp_path: Path) -> None:
    """With 20 jobs for a handler that said farewell a stop takes under two seconds and records nothing; after the
    next start, with the handler back, each has one outcome.
    """

    async def scene() -> None:
        service = await started(kit, tmp_path)
        async with kit.handling(service):
            await kit.registered(service, "h")
        await kit.until(lambda: service.handlers()[0].status == "Disconnected", "the farewell")
        jobs = [await service.run_now(kit.request(value=n)) for n in range(20)]
        await kit.until(lambda: service.handlers()[0].running_jobs == 16, "as many jobs as may run")
        begun = time.monotonic()
        await service.stop()
        assert time.monotonic() - begun < 2.0
        async with kit.serving(**stored(tmp_path)) as again:
            assert await again.executions() == []
            async with kit.handling(again) as worker:
                for job_id in jobs:
                    assert (await kit.done(again, job_id)).outcome is Outcome.SUCCESS
                assert worker.count == dict.fromkeys(range(20), 1)
                assert sorted(r.job_id for r in await again.executions()) == sorted(jobs)

    kit.run(scene)


def test_a_stop_waits_for_running_calls_and_keeps_their_outcomes(kit: Any, tmp_path: Path) -> None:
    """Calls that end 0.3 s after the stop began have their outcome in the store; what had not begun is pending."""

    async def scene() -> None:
        service = await started(kit, tmp_path, per_handler_jobs=3)
        async with kit.handling(service) as worker:
            await kit.registered(service, "h")
            jobs = [await service.run_now(kit.request("wait", value=n)) for n in range(5)]
            await kit.until(lambda: len(worker.count) == 3, "three calls under way")
            asyncio.get_running_loop().call_later(0.3, worker.gate.set)
            begun = time.monotonic()
            await service.stop()
            assert time.monotonic() - begun < 5.0
            assert worker.count == {0: 1, 1: 1, 2: 1}
        async with kit.serving(**stored(tmp_path)) as again:
            done = await again.executions()
            assert {(r.job_id, r.outcome, r.result) for r in done} == {
                (jobs[n], Outcome.SUCCESS, n) for n in range(3)
            }
            assert len(done) == 3
            assert [(await again.job(job_id)).state is JobState.DONE for job_id in jobs] == [True] * 3 + [False] * 2

    kit.run(scene)


def test_a_clean_stop_says_nothing_of_abandoned_calls(
    kit: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When all calls have been answered, threads that are merely idle are not taken for calls."""

    async def scene() -> None:
        service = await started(kit, tmp_path)
        async with kit.handling(service):
            await kit.registered(service, "h")
            for job_id in [await service.run_now(kit.request(value=n)) for n in range(16)]:
                await kit.done(service, job_id)
            await service.stop()
        assert service.abandoned_threads == 0

    with caplog.at_level(logging.INFO, "schedule_zero.service"):
        kit.run(scene)
    assert [r.getMessage() for r in caplog.records if r.name == "schedule_zero.service"] == []
