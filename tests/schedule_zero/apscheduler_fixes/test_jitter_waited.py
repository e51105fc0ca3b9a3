"""A job that jitter has put off is left alone until its time, and told of then (in virtual time)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler import Job, JobAdded

from schedule_zero.apscheduler_fixes.jitter_waited import LateJobs

pytestmark = [pytest.mark.unit, pytest.mark.sim]


def job(seconds: float, jitter: float = 1.0) -> Any:
    """A job for so many seconds from now."""
    made: Any = Job
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    return made(task_id="t", scheduled_fire_time=due, jitter=timedelta(seconds=jitter), executor="async")


def test_each_job_is_told_of_at_its_time_and_once(sim_world: Any) -> None:
    """Also when it is put twice; one without jitter, and one whose time has come, are not kept."""

    async def scene() -> tuple[list[Any], list[tuple[Any, float]]]:
        told: list[tuple[Any, float]] = []
        loop = asyncio.get_running_loop()
        begun = loop.time()

        async def tell(event: JobAdded) -> None:
            told.append((event.job_id, round(loop.time() - begun, 2)))

        late = LateJobs(tell, lambda: False)
        jobs = [job(90.0), job(2.0), job(5.0, jitter=0.0), job(-1.0)]
        kept = late.put(jobs, timedelta())
        assert late.put(jobs, timedelta()) == kept
        assert kept == {jobs[0].id, jobs[1].id}
        await asyncio.sleep(200.0)
        return jobs, told

    jobs, told = asyncio.run(scene())

    assert told == [(jobs[1].id, 2.0), (jobs[0].id, 90.0)]


def test_nobody_is_told_while_the_store_drains(sim_world: Any) -> None:
    """A stop that has begun is not disturbed."""

    async def scene() -> list[Any]:
        told: list[Any] = []

        async def tell(event: JobAdded) -> None:
            told.append(event)

        LateJobs(tell, lambda: True).put([job(2.0)], timedelta())
        await asyncio.sleep(5.0)
        return told

    assert asyncio.run(scene()) == []
