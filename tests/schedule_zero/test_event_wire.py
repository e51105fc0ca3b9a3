"""Events as notifications: whole, within PostgreSQL's limit, and harmless whoever sends them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from apscheduler import (
    Event,
    JobAcquired,
    JobAdded,
    JobOutcome,
    JobReleased,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleUpdated,
    TaskAdded,
    TaskRemoved,
    TaskUpdated,
)

from schedule_zero.event_wire import LIMIT, TOLD, decode, encode

pytestmark = pytest.mark.unit

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
JOB = UUID(int=7)
_OF_JOB = {"job_id": JOB, "task_id": "t", "schedule_id": "s"}
EVENTS: list[Event] = [
    *(kind(task_id="t", timestamp=NOW) for kind in (TaskAdded, TaskUpdated, TaskRemoved)),
    *(kind(schedule_id="s", task_id="t", next_fire_time=NOW) for kind in (ScheduleAdded, ScheduleUpdated)),
    ScheduleRemoved(schedule_id="s", task_id="t", finished=True),
    cast("Any", JobAdded)(**_OF_JOB),
    cast("Any", JobAcquired)(**_OF_JOB, scheduler_id="me", scheduled_start=NOW),
    cast("Any", JobReleased)(
        **_OF_JOB, scheduler_id="me", outcome=JobOutcome.error, scheduled_start=NOW, started_at=NOW,
        exception_type="ValueError", exception_message="no \N{SNOWMAN}", exception_traceback=["line"],
    ),
]  # fmt: skip


def added(name: str) -> Event:
    """An event with a task id of any length."""
    return cast("Event", TaskAdded(task_id=name, timestamp=NOW))


def test_every_kind_of_event_arrives_as_it_was_sent() -> None:
    """All fields, with types, of all kinds that are told."""
    assert {type(event) for event in EVENTS} == set(TOLD)
    [payload] = encode("a", EVENTS)
    assert decode(payload) == ("a", True, EVENTS)


def test_many_events_take_few_notifications_within_the_limit() -> None:
    """None is lost or out of order, and no notification is longer than PostgreSQL takes."""
    events = [added(f"task {n} \N{SNOWMAN}") for n in range(300)]
    payloads = list(encode("a", events))
    assert max(len(payload.encode()) for payload in payloads) <= LIMIT
    assert 3 <= len(payloads) <= 6
    assert [event for payload in payloads for event in decode(payload)[2]] == events


def test_an_event_that_is_too_long_is_left_out_and_said_to_be() -> None:
    """Its neighbours arrive, and the receiver hears that there is more to see in the store."""
    payloads = list(encode("a", [added("x"), added("y" * LIMIT), added("z")]))
    heard = [decode(payload) for payload in payloads]
    assert [event for _, _, events in heard for event in events] == [added("x"), added("z")]
    assert not all(whole for _, whole, _ in heard)
    assert max(len(payload.encode()) for payload in payloads) <= LIMIT


def test_nothing_to_tell_is_told_to_nobody_unless_something_was_lost() -> None:
    """No notification for no events; an empty one when events had to be dropped."""
    assert list(encode("a", [])) == []
    [payload] = encode("a", [], whole=False)
    assert decode(payload) == ("a", False, [])


@pytest.mark.parametrize("payload", ["", "hello", "{}", "[1,2,3]", '["a",true,[["TaskAdded"]]]', "[" * 5000])
def test_what_is_no_notification_of_ours_is_a_value_error(payload: str) -> None:
    """Anybody who may connect to the database can send on the channel."""
    with pytest.raises(ValueError, match="not a notification of schedule_zero"):
        decode(payload)


@pytest.mark.parametrize(
    "event",
    [
        '["Event",{}]',
        '["os.system",{"command":"true"}]',
        '["TaskAdded",{}]',
        '["TaskAdded",{"task_id":"t","timestamp":"yesterday"}]',
        '["JobAdded",{"job_id":"x","task_id":"t","schedule_id":null}]',
        '["JobReleased",{"outcome":"great"}]',
    ],
)
def test_an_event_that_cannot_be_understood_is_left_out(event: str) -> None:
    """One of a newer version, or of somebody with bad intent: the others count, and the receiver looks for itself."""
    good = '["TaskAdded",{"task_id":"t","timestamp":"2026-02-03T04:05:06.000789Z"}]'
    assert decode(f'["a",true,[{event},{good}]]') == ("a", False, [added("t")])


def test_instants_keep_their_microseconds() -> None:
    """What is sent in JSON is not rounded."""
    moment = NOW + timedelta(microseconds=1)
    [payload] = encode("a", [ScheduleUpdated(schedule_id="s", task_id="t", next_fire_time=moment)])
    [event] = decode(payload)[2]
    assert isinstance(event, ScheduleUpdated)
    assert event.next_fire_time == moment
