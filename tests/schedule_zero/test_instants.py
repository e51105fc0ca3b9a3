"""Instants at the ends of the calendar: refused where they enter, or told the same everywhere from then on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.instants import is_tellable
from schedule_zero.refusals import InvalidRequest
from schedule_zero.rows import trigger_text
from schedule_zero.schema import instant, micros, near_instant
from schedule_zero.security.stored_triggers import StoredTriggers
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.unit

OFFSETS = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(timezone)
HOURS = st.timedeltas(timedelta(), timedelta(days=3))
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - the zone comes later
#: Any moment, and as often one within three days of either end.
MOMENTS = st.one_of(
    st.datetimes(),
    HOURS.map(lambda span: FIRST + span),
    HOURS.map(lambda span: LAST - span),
)
ZONES = [UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Niue")]


@given(st.builds(lambda moment, zone: moment.replace(tzinfo=zone), MOMENTS, OFFSETS))
def test_what_is_tellable_is_told_in_every_zone_and_kept_by_the_store(moment: datetime) -> None:
    """It is converted, stored as a number and read again, and is the same instant each time."""
    if is_tellable(moment):
        assert [moment.astimezone(zone) for zone in ZONES] == [moment] * 3
        kept = micros(moment)
        assert instant(kept) == moment
        assert near_instant(kept or 0) == moment


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9999-12-31T23:59:59-14:00", False),
        ("9999-12-31T23:59:59.999999-23:59", False),
        ("9999-12-31T23:59:59+00:00", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("0001-01-01T00:00:00+00:00", False),
        ("9999-12-30T23:59:59+00:01", True),
        ("0001-01-02T00:00:00+00:00", True),
        ("2030-01-01T00:00:00+14:00", True),
    ],
)
def test_a_day_at_each_end_is_left_out(text: str, told: bool) -> None:
    """What UTC, or any zone, could not tell is none; nor is the rest of these two days."""
    assert is_tellable(datetime.fromisoformat(text)) is told


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        (2**62, datetime(9999, 12, 31, tzinfo=UTC)),
        (10**18, datetime(9999, 12, 31, tzinfo=UTC)),
        (-(2**62), datetime(1, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_number_beyond_the_calendar_is_looked_at_from_its_end(value: int, nearest: datetime) -> None:
    """The nearest instant that can be told; exactly, such a number has none."""
    assert near_instant(value) == nearest
    with pytest.raises(OverflowError):
        instant(value)


BEGIN = "0001-01-02T00:00:00Z"
SPECS: list[tuple[str, dict[str, Any]]] = [
    ("run_date", {"type": "date"}),
    ("start_time", {"type": "interval", "hours": 7}),
    ("end_time", {"type": "interval", "hours": 7, "start_time": BEGIN}),
    ("start_time", {"type": "cron", "hour": 23, "timezone": "Pacific/Niue"}),
    ("end_time", {"type": "cron", "hour": 0, "timezone": "Pacific/Kiritimati", "start_time": BEGIN}),
]


@given(st.builds(lambda moment, zone: moment.replace(tzinfo=zone), MOMENTS, OFFSETS), st.sampled_from(SPECS))
def test_a_trigger_is_refused_or_can_be_stored_with_its_fire_times(moment: datetime, case: tuple[str, Any]) -> None:
    """Whatever instant a client writes: 422 by the field, or a trigger whose every time the store gives back."""
    field, spec = case
    written = {**spec, field: moment.isoformat()}
    if not is_tellable(moment):
        with pytest.raises(InvalidRequest, match=f"trigger.{field}: expected an instant from"):
            build_trigger(written)
        return
    trigger = build_trigger(written)
    for _ in range(3):
        fire = trigger.next()
        again = StoredTriggers().deserialize(trigger_text(trigger).encode())
        if fire is None:
            return
        assert is_tellable(fire)
        assert instant(micros(fire)) == fire
        trigger = again


def test_a_time_that_only_its_own_zone_can_tell_is_no_fire_time() -> None:
    """The last evening of the year 9999 on Niue lies in no year of UTC: the schedule ends before."""
    spec = {"type": "cron", "year": "2098,9999", "month": 12, "day": 31, "hour": 23, "timezone": "Pacific/Niue"}
    trigger = build_trigger(spec)
    assert trigger.next() == datetime(2098, 12, 31, 23, tzinfo=ZoneInfo("Pacific/Niue"))
    assert trigger.next() is None
