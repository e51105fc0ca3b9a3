"""Schedules of `SchedulerService` with real handlers over ZeroMQ."""

from __future__ import annotations

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
            gaps = [b.scheduled_for - a.scheduled_for for a, b in pairwise(records)]
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
