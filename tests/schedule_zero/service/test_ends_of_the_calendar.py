"""Instants at the ends of the calendar, as a service meets them: refused at its door, passed over in its store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from apscheduler.triggers.date import DateTrigger

from schedule_zero.refusals import InvalidRequest
from schedule_zero.requests import NewSchedule, ScheduleChange

pytestmark = pytest.mark.integration

TICK = {"type": "interval", "seconds": 0.05}


def scheduled(trigger: dict[str, Any], name: str) -> NewSchedule:
    """A schedule of the handler `h`."""
    return NewSchedule(handler_id="h", job_method="work", trigger=trigger, job_id=name)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_that_utc_cannot_tell_is_refused(kit: Any, moment: str) -> None:
    """In a new schedule, in a change of one, and as a trigger given in the process; the scheduler fires on."""

    async def scene() -> None:
        async with kit.serving() as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            await service.add_schedule(scheduled(TICK, "tick"))
            bad = {"type": "date", "run_date": moment}
            with pytest.raises(InvalidRequest, match=r"trigger\.run_date: expected an instant from 0001-01-02T"):
                await service.add_schedule(scheduled(bad, "bad"))
            with pytest.raises(InvalidRequest, match=r"trigger\.run_date"):
                await service.change_schedule("tick", ScheduleChange(trigger=bad))
            with pytest.raises(InvalidRequest, match="beyond the ends of the calendar"):
                await service.reschedule("tick", DateTrigger(run_time=datetime.fromisoformat(moment)))
            seen = worker.count[None]
            await kit.until(lambda: worker.count[None] >= seen + 3, "three more firings")
            assert service._kept.restarts == 0

    kit.run(scene)


@pytest.mark.parametrize("next_fire", ["999999999999999999", "-999999999999999999", "'soon'"])
def test_a_stored_time_that_makes_no_sense_holds_up_nothing(kit: Any, tmp_path: Path, next_fire: str) -> None:
    """What is due beyond the calendar, or at no time at all: others fire, and it can be paused and removed."""

    async def scene() -> None:
        async with kit.serving(store=f"sqlite:///{tmp_path}/jobs.db") as service, kit.handling(service) as worker:
            await kit.registered(service, "h")
            await service.add_schedule(scheduled({"type": "date", "run_date": "2099-01-01"}, "bad"))
            change = f"UPDATE schedules SET next_fire = {next_fire}"
            await service._store.database.write(lambda c: c.execute(change).rowcount)
            await service.add_schedule(scheduled(TICK, "tick"))
            await kit.until(lambda: worker.count[None] >= 3, "three firings")
            assert [view.id for view in (await service.schedules())] == ["tick"]
            assert service.unreadable_rows() == {"schedule": 1}
            await service._store.clocks_parted(1.0)
            await service._store.set_paused("bad", True)
            await service._store.set_paused("bad", False)
            await service.remove("tick")
            await service._store.get_next_schedule_run_time()
            await service.remove("bad")
            assert service.unreadable_rows() == {}
            assert service._kept.restarts == 0

    kit.run(scene)
