"""Schedules of `SchedulerService` with real handlers over ZeroMQ."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.execution_log import Filters, Outcome
from schedule_zero.refusals import AlreadyExists, InvalidRequest, NotFound
from schedule_zero.requests import NewSchedule, ScheduleChange

pytestmark = pytest.mark.integration


def test_schedules_fire_pause_resume_and_go(kit: Any) -> None:
    """An interval fires with its intended time in the log; paused it rests; removed it is gone."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            trigger = {"type": "interval", "seconds": 0.05}
            new = NewSchedule(handler_id="h", job_method="work", trigger=trigger, job_id="tick", coalesce="all")
            assert await service.add_schedule(new) == "tick"
            with pytest.raises(AlreadyExists, match="'tick' is taken"):
                await service.add_schedule(new)
            await kit.until(lambda: worker.count[None] >= 3, "three firings")
            view = await service.change_schedule("tick", ScheduleChange(paused=True))
            assert view.paused is True
            await kit.until(lambda: service._store.running_jobs == 0, "the last firing")
            records = await service.executions(Filters(schedule_id="tick"), limit=3)
            # By time, since with `all` two of them may run at once and end in another order.
            times = sorted(record.scheduled_for for record in records if record.scheduled_for is not None)
            gaps = [b - a for a, b in pairwise(times)]
            assert gaps == [timedelta(seconds=0.05)] * 2
            far = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}
            view = await service.change_schedule("tick", ScheduleChange(trigger=far, paused=False))
            assert (view.next_fire_time, view.paused) == (datetime(2099, 1, 1, tzinfo=UTC), False)
            assert [s.id for s in await service.schedules()] == ["tick"]
            await service.remove("tick")
            with pytest.raises(NotFound):
                await service.schedule("tick")

    kit.run(scene)


def test_a_schedule_that_never_fires_is_refused(kit: Any) -> None:
    """An interval that has ended before it begins, or a date that does not exist, is told at once."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            trigger = {"type": "cron", "year": 2000}
            with pytest.raises(InvalidRequest, match="would never fire"):
                await service.add_schedule(NewSchedule(handler_id="h", job_method="work", trigger=trigger))

    kit.run(scene)


def test_a_late_firing_within_no_grace_is_missed_and_logged(kit: Any, tmp_path: Path) -> None:
    """A server that was down over a fire time logs the misfire as `missed` when it comes back."""

    async def scene() -> None:
        database = {"store": "sqlite", "database": tmp_path / "a.db"}
        async with kit.serving(**database) as service, kit.handling(service):
            await kit.registered(service, "h")
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
            [record] = await kit.until(lambda: service.executions(), "the misfire")
            assert (record.outcome, record.schedule_id, record.method) == (Outcome.MISSED, "late", "work")

    kit.run(scene)


def test_what_fires_next_comes_first_and_paused_ones_do_not(kit: Any) -> None:
    """In the order of their next fire times, with how many there are and how many of them are paused."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service):
            await kit.registered(service, "h")
            assert await service.schedules_ahead(5) == ([], 0, 0)
            for name, year, paused in (("a", 2042, False), ("b", 2040, False), ("c", 2039, True), ("d", 2041, False)):
                trigger = {"type": "date", "run_date": f"{year}-01-01T00:00:00Z"}
                request = NewSchedule(handler_id="h", job_method="work", job_id=name, trigger=trigger, paused=paused)
                await service.add_schedule(request)
            ahead, number, resting = await service.schedules_ahead(2)
            assert ([view.id for view in ahead], number, resting) == (["b", "d"], 4, 1)

    kit.run(scene)


def test_a_schedule_can_be_run_now_beside_its_fire_times(kit: Any) -> None:
    """Once for a key, also while it is paused, as one of its executions, with its own parameters; it stays as it is."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            far = {"type": "date", "run_date": "2099-01-01T00:00:00Z"}
            request = NewSchedule(handler_id="h", job_method="work", job_id="s", trigger=far, paused=True)
            await service.add_schedule(request)
            before = await service.schedule("s")
            jobs = [await service.run_schedule("s", idempotency_key="k") for _ in range(2)]
            other = await service.run_schedule("s", idempotency_key="l")
            assert jobs[0] == jobs[1] != other
            await kit.until(lambda: worker.count[None] == 2, "two runs")
            while len(records := await service.executions(Filters(schedule_id="s"))) < 2:
                await asyncio.sleep(0.01)
            assert {(r.job_id, r.outcome, r.scheduled_for) for r in records} == {
                (jobs[0], Outcome.SUCCESS, None),
                (other, Outcome.SUCCESS, None),
            }
            assert await service.schedule("s") == before
            with pytest.raises(NotFound):
                await service.run_schedule("none", idempotency_key="m")

    kit.run(scene)
