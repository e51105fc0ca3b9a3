"""`build_trigger`: what clients may write, what fires when, and that it survives the store."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from apscheduler.abc import Trigger
from apscheduler.serializers.json import JSONSerializer

from schedule_zero.refusals import InvalidRequest
from schedule_zero.rows import trigger_text
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.unit


def fires(trigger: Trigger, count: int = 3) -> list[str]:
    """The first fire times, in UTC."""
    times = islice(iter(trigger.next, None), count)
    return [time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for time in times]


SPECS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "date", "run_date": "2030-01-01T12:00:00+02:00"}, ["2030-01-01 10:00:00"]),
    ({"type": "date", "run_date": "2030-01-01T12:00:00"}, ["2030-01-01 12:00:00"]),
    (
        {"type": "interval", "minutes": 90, "start_time": "2030-01-01T00:00:00Z"},
        ["2030-01-01 00:00:00", "2030-01-01 01:30:00", "2030-01-01 03:00:00"],
    ),
    (
        {
            "type": "interval",
            "seconds": 0.5,
            "start_time": "2030-01-01T00:00:00Z",
            "end_time": "2030-01-01T00:00:00Z",
        },
        ["2030-01-01 00:00:00"],
    ),
    (
        {
            "type": "cron",
            "hour": 2,
            "minute": 30,
            "timezone": "Europe/Berlin",
            "start_time": "2030-03-30T00:00:00Z",
        },
        # On the 31st the clocks go from two to three: half past two is half past three, and the day is not left
        # out.
        ["2030-03-30 01:30:00", "2030-03-31 01:30:00", "2030-04-01 00:30:00"],
    ),
    (
        {"type": "cron", "crontab": "*/30 8 * * *", "start_time": "2030-01-01T00:00:00Z"},
        ["2030-01-01 08:00:00", "2030-01-01 08:30:00", "2030-01-02 08:00:00"],
    ),
    (
        {"type": "calendar", "months": 1, "hour": 6, "start_date": "2030-01-15"},
        ["2030-01-15 06:00:00", "2030-02-15 06:00:00", "2030-03-15 06:00:00"],
    ),
]


@pytest.mark.parametrize(("spec", "expected"), SPECS)
def test_a_trigger_fires_as_written(spec: dict[str, Any], expected: list[str]) -> None:
    """Instants without offset and cron fields without zone mean UTC."""
    assert fires(build_trigger(spec)) == expected


@pytest.mark.parametrize(("spec", "expected"), SPECS)
def test_a_trigger_goes_on_where_it_was_after_the_store(spec: dict[str, Any], expected: list[str]) -> None:
    """Stored after its first fire time and read back, it continues with the second."""
    trigger = build_trigger(spec)
    trigger.next()
    again = JSONSerializer().deserialize(trigger_text(trigger).encode())
    assert fires(again, 2) == expected[1:]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "trigger.type"),
        ({"type": "weekly"}, "trigger.type"),
        ({"type": "date"}, "trigger.run_date"),
        ({"type": "date", "run_date": "tomorrow"}, "trigger.run_date"),
        ({"type": "date", "run_date": 5}, "trigger.run_date"),
        ({"type": "date", "run_date": "2030-01-01", "hours": 1}, "trigger.hours"),
        ({"type": "interval"}, "trigger"),
        ({"type": "interval", "seconds": -1}, "trigger"),
        ({"type": "interval", "seconds": "5"}, "trigger.seconds"),
        ({"type": "interval", "weeks": 1e300}, "trigger"),
        ({"type": "interval", "seconds": True}, "trigger.seconds"),
        ({"type": "cron", "hour": 25}, "trigger"),
        ({"type": "cron", "crontab": "* * *"}, "trigger.crontab"),
        ({"type": "cron", "crontab": "* * * * *", "hour": 1}, "trigger.crontab"),
        ({"type": "cron", "timezone": "Mars/Olympus"}, "trigger.timezone"),
        ({"type": "cron", "timezone": "../../etc/passwd"}, "trigger.timezone"),
        ({"type": "cron", "timezone": "localtime"}, "trigger.timezone"),
        ({"type": "cron", "timezone": "posixrules"}, "trigger.timezone"),
        ({"type": "cron", "timezone": "posix/Europe/Berlin"}, "trigger.timezone"),
        ({"type": "calendar", "days": 1, "timezone": "right/UTC"}, "trigger.timezone"),
        ({"type": "calendar"}, "trigger"),
        ({"type": "calendar", "days": 1.5}, "trigger.days"),
        ({"type": "calendar", "days": 10**9}, "trigger.days"),
        ({"type": "calendar", "days": 1, "start_date": "yesterday"}, "trigger.start_date"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(spec: dict[str, Any], field: str) -> None:
    """Every mistake is an InvalidRequest that names the field."""
    with pytest.raises(InvalidRequest) as caught:
        build_trigger(spec)
    assert caught.value.field == field


IN_SPRING, IN_AUTUMN = "2027-03-28T00:00:00+01:00", "2027-10-31T00:00:00+02:00"
HALF_PAST_TWO = {"hour": 2, "minute": 30, "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # 02:00 to 03:00 of 2027-03-28 are skipped.
        (
            {"type": "cron", **HALF_PAST_TWO, "start_time": IN_SPRING},
            ["2027-03-28T03:30:00+02:00", "2027-03-29T02:30:00+02:00"],
        ),
        (
            {"type": "cron", "hour": 2, "minute": "*/15", "timezone": "Europe/Berlin", "start_time": IN_SPRING},
            ["2027-03-28T03:00:00+02:00", "2027-03-29T02:00:00+02:00", "2027-03-29T02:15:00+02:00"],
        ),
        (
            {"type": "cron", "hour": "1-3", "minute": "*/30", "timezone": "Europe/Berlin", "start_time": IN_SPRING},
            [
                "2027-03-28T01:00:00+01:00",
                "2027-03-28T01:30:00+01:00",
                "2027-03-28T03:00:00+02:00",
                "2027-03-28T03:30:00+02:00",
                "2027-03-29T01:00:00+02:00",
            ],
        ),
        (
            {"type": "calendar", "days": 1, **HALF_PAST_TWO, "start_date": "2027-03-27"},
            ["2027-03-27T02:30:00+01:00", "2027-03-29T02:30:00+02:00"],
        ),
        (
            {"type": "calendar", "months": 1, **HALF_PAST_TWO, "start_date": "2027-02-28"},
            ["2027-02-28T02:30:00+01:00", "2027-04-28T02:30:00+02:00"],
        ),
        (
            {"type": "interval", "days": 1, "start_time": "2027-03-27T02:30:00+01:00"},
            ["2027-03-27T01:30:00+00:00", "2027-03-28T01:30:00+00:00", "2027-03-29T01:30:00+00:00"],
        ),
        # 02:00 to 03:00 of 2027-10-31 come twice.
        (
            {"type": "cron", **HALF_PAST_TWO, "start_time": IN_AUTUMN},
            ["2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00", "2027-11-01T02:30:00+01:00"],
        ),
        (
            {"type": "calendar", "days": 1, **HALF_PAST_TWO, "start_date": "2027-10-31"},
            ["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"],
        ),
        (
            {"type": "interval", "hours": 1, "start_time": "2027-10-31T01:30:00+02:00"},
            ["2027-10-30T23:30:00+00:00", "2027-10-31T00:30:00+00:00", "2027-10-31T01:30:00+00:00"],
        ),
    ],
)
def test_triggers_fire_when_the_clocks_change_as_the_reference_says(spec: dict[str, Any], expected: list[str]) -> None:
    """Cron makes up for a skipped time and fires twice at a repeated one, the calendar leaves that day out and fires
    once, as APScheduler documents it; an interval counts elapsed time.
    """
    times = islice(iter(build_trigger(spec).next, None), len(expected))
    assert [time.isoformat() for time in times] == expected


def test_an_interval_without_start_fires_from_now_on() -> None:
    """The first fire time is the present."""
    before = datetime.now(UTC)
    first = build_trigger({"type": "interval", "hours": 1}).next()
    assert first is not None
    assert before <= first.astimezone(UTC) <= datetime.now(UTC)
