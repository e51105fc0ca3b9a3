"""What APScheduler sees by its own clock, and what of it is stored by the database's."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from apscheduler import Job, Schedule, ScheduleResult
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from schedule_zero.clock_shift import shifted_deadline, shifted_schedule, unshifted_job, unshifted_result

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AHEAD, NONE, HOUR = timedelta(seconds=5), timedelta(), timedelta(hours=1)


def schedule(trigger: Any) -> Schedule:
    """A schedule at its first fire time."""
    made: Schedule = cast("Any", Schedule)(id="s", task_id="t", trigger=trigger, job_executor="async")
    made.next_fire_time = trigger.next()
    return made


def job(**fields: Any) -> Job:
    """A job of the schedule."""
    return cast("Job", cast("Any", Job)(task_id="t", executor="async", schedule_id="s", **fields))


def processed(item: Schedule) -> ScheduleResult:
    """What APScheduler makes of a schedule that is due."""
    made: ScheduleResult = cast("Any", ScheduleResult)(
        schedule_id=item.id,
        task_id=item.task_id,
        trigger=item.trigger,
        last_fire_time=item.next_fire_time,
        next_fire_time=item.trigger.next(),
    )
    return made


def test_a_schedule_is_seen_later_by_a_clock_that_is_ahead_and_stored_as_it_was() -> None:
    """Fire times move by the difference on the way in, and back on the way out; the trigger itself is untouched."""
    given = schedule(IntervalTrigger(hours=1, start_time=NOW))
    seen = shifted_schedule(given, AHEAD)
    assert seen.next_fire_time == NOW + AHEAD
    result, ahead = unshifted_result(processed(seen))
    assert ahead == AHEAD
    assert (result.last_fire_time, result.next_fire_time) == (NOW, NOW + HOUR)
    assert result.trigger is given.trigger
    assert result.trigger.next() == NOW + 2 * HOUR


def test_a_trigger_that_has_ended_stays_ended() -> None:
    """No fire time is made up by shifting."""
    result, _ = unshifted_result(processed(shifted_schedule(schedule(DateTrigger(NOW)), AHEAD)))
    assert (result.last_fire_time, result.next_fire_time) == (NOW, None)


def test_a_job_of_a_shifted_schedule_is_stored_by_the_databases_clock() -> None:
    """Its fire time and its deadline move back, its id stays."""
    made = job(scheduled_fire_time=NOW + AHEAD, start_deadline=NOW + AHEAD + HOUR)
    stored = unshifted_job(made, AHEAD)
    assert (stored.id, stored.scheduled_fire_time, stored.start_deadline) == (made.id, NOW, NOW + HOUR)


def test_a_job_that_is_to_run_has_its_deadline_by_this_machines_clock() -> None:
    """APScheduler compares it with its own clock; the fire time is told as it is stored."""
    seen = shifted_deadline(job(scheduled_fire_time=NOW, start_deadline=NOW + HOUR), AHEAD)
    assert (seen.scheduled_fire_time, seen.start_deadline) == (NOW, NOW + HOUR + AHEAD)
    assert shifted_deadline(job(), AHEAD).start_deadline is None


def test_nothing_changes_where_the_clocks_are_one() -> None:
    """Without a difference the very same objects pass through."""
    given, made = schedule(IntervalTrigger(hours=1, start_time=NOW)), job(start_deadline=NOW)
    assert shifted_schedule(given, NONE) is given
    assert shifted_deadline(made, NONE) is made
    assert unshifted_job(made, NONE) is made
    result = processed(given)
    assert unshifted_result(result) == (result, NONE)


def test_a_shifted_trigger_cannot_be_stored() -> None:
    """It would come back shifted twice: storing it is a mistake that is noticed."""
    seen = shifted_schedule(schedule(IntervalTrigger(hours=1, start_time=NOW)), AHEAD)
    with pytest.raises(NotImplementedError):
        pickle.dumps(seen.trigger)
    with pytest.raises(NotImplementedError):
        seen.trigger.__setstate__({})
