"""Our triggers fire as a model of them says, where APScheduler's own do not (see `schedule_zero.apscheduler_fixes`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.abc import Trigger
from apscheduler.serializers.json import JSONSerializer
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import assume, settings
from hypothesis import given as for_any
from hypothesis import strategies as st

from harness.models import triggers as model
from harness.models import zones
from schedule_zero.apscheduler_fixes.cron_steps import months, weekdays
from schedule_zero.apscheduler_fixes.triggers import Calendar, Cron, Interval
from schedule_zero.triggers import build_trigger

pytestmark = pytest.mark.unit

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Africa/Cairo",
)  # fmt: skip
DAY = 86_400 * zones.SECOND
ENOUGH = 300
"""Times of one trigger to compare."""


def times(trigger: Trigger, count: int) -> list[str]:
    """The first times, as the trigger names them."""
    return [fire.isoformat() for fire in islice(iter(trigger.next, None), count)]


def utc(text: str) -> str:
    """A time as clocks in UTC show it, to the minute."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()[:16]


def fired(trigger: Trigger, until: int) -> Iterator[int]:
    """The times up to `until`, in µs, from a trigger that goes through the store between each two."""
    while (fire := trigger.next()) is not None and zones.micros(fire) <= until:
        yield zones.micros(fire)
        trigger = JSONSerializer().deserialize(JSONSerializer().serialize(trigger))


def differences(data: dict[str, Any], trigger: Trigger, until: int) -> dict[str, list[int]]:
    """Times that must be and are not, times that must not be and are, times out of order."""
    seen = list(islice(fired(trigger, until), ENOUGH))
    until = seen[-1] if len(seen) == ENOUGH else until
    modelled = list(model.parse(data).fires(until))
    found = {
        "missed": sorted({fire.at for fire in modelled if fire.sure} - set(seen)),
        "unknown": sorted(set(seen) - {fire.at for fire in modelled}),
        "unordered": [after for before, after in pairwise(seen) if after <= before],
    }
    return {what: at for what, at in found.items() if at}


def test_the_day_after_the_clocks_went_forward_has_its_first_hour() -> None:
    """APScheduler loses 00:40 of 2026-03-30 in Berlin (#606), we do not."""
    begin = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    given: dict[str, Any] = {"hour": 0, "minute": 40, "start_time": begin, "timezone": BERLIN}

    assert times(CronTrigger(**given), 2) == ["2026-03-29T00:40:00+01:00", "2026-03-31T00:40:00+02:00"]
    assert times(Cron(**given), 2) == ["2026-03-29T00:40:00+01:00", "2026-03-30T00:40:00+02:00"]


def test_a_time_that_the_clocks_skip_is_named_as_they_show_it() -> None:
    """APScheduler names 02:30 of 2026-03-29 in Berlin (#1059), where clocks show 03:30."""
    begin = datetime(2026, 3, 29, tzinfo=BERLIN)
    given: dict[str, Any] = {"hour": 2, "minute": 30, "start_time": begin, "timezone": BERLIN}

    assert times(CronTrigger(**given), 1) == ["2026-03-29T02:30:00+01:00"]
    assert times(Cron(**given), 2) == ["2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_time_that_the_clocks_skip_hides_no_other() -> None:
    """On Lord Howe clocks go from 02:00 to 02:30: APScheduler makes up for 02:10 at 02:40 and passes over 02:35."""
    zone = ZoneInfo("Australia/Lord_Howe")
    given: dict[str, Any] = {
        "hour": 2,
        "minute": "10,35",
        "start_time": datetime(2026, 10, 4, tzinfo=zone),
        "timezone": zone,
    }

    assert [text[11:16] for text in times(CronTrigger(**given), 2)] == ["02:10", "02:10"]
    assert [text[8:16] for text in times(Cron(**given), 3)] == ["04T02:35", "05T02:10", "05T02:35"]


@pytest.mark.parametrize(
    ("zone", "begin", "first", "skipped", "following"),
    [
        ("Africa/Cairo", "2027-04-28T23:00+02:00", "2027-04-28T22", "2027-04-29T22", "2027-04-30T21"),
        ("Asia/Beirut", "2027-03-26T23:00+02:00", "2027-03-26T22", "2027-03-27T22", "2027-03-28T21"),
        ("America/Santiago", "2027-09-03T23:00-04:00", "2027-09-04T04", "2027-09-05T04", "2027-09-06T03"),
        ("America/Havana", "2027-03-12T23:00-05:00", "2027-03-13T05", "2027-03-14T05", "2027-03-15T04"),
        ("Atlantic/Azores", "2027-03-26T23:00-01:00", "2027-03-27T01", "2027-03-28T01", "2027-03-29T00"),
    ],
)
@pytest.mark.parametrize("minute", [0, 15, 30])
def test_a_day_whose_midnight_the_clocks_skip_has_its_run(
    zone: str, begin: str, first: str, skipped: str, following: str, minute: int
) -> None:
    """00:00, 00:15 and 00:30 are made up for an hour later by the clocks; APScheduler loses the whole day."""
    given: dict[str, Any] = {"hour": 0, "minute": minute, "start_time": datetime.fromisoformat(begin), "timezone": zone}
    crontab = {"type": "cron", "crontab": f"{minute} 0 * * *", "start_time": begin, "timezone": zone}
    owed = [f"{hour}:{minute:02}" for hour in (first, skipped, following)]

    assert [utc(text) for text in times(Cron(**given), 3)] == owed
    assert [utc(text) for text in times(build_trigger(crontab), 3)] == owed
    assert owed[1] not in [utc(text) for text in times(CronTrigger(**given), 3)]


@pytest.mark.parametrize(
    ("zone", "begin", "fields", "owed"),
    [
        # 02:30 after 01:30, which is the step of an hour; 02:10 on Lord Howe, where clocks go from 02:00 to 02:30.
        ("Europe/Berlin", "2027-03-28T00:00+01:00", {"hour": "1-2", "minute": 30},
         ["28T00:30", "28T01:30", "28T23:30"]),
        ("Australia/Lord_Howe", "2026-10-04T00:00+10:30", {"hour": "1-2", "minute": 10},
         ["03T14:40", "03T15:40", "04T14:10"]),
        # The step from the day before, from an hour before, of a month, of a year, of a week.
        ("Africa/Cairo", "2027-04-29T22:30+02:00", {"hour": "23,0", "minute": 10},
         ["29T21:10", "29T22:10", "30T20:10"]),
        ("Africa/Cairo", "2027-04-29T22:30+02:00", {"minute": 40}, ["29T20:40", "29T21:40", "29T22:40"]),
        ("Africa/Cairo", "2027-03-30T12:00+02:00", {"day": 30, "minute": 40, "hour": 0}, ["29T22:40", "29T21:40"]),
        ("Africa/Cairo", "2026-05-01T12:00+02:00", {"month": 4, "day": "last fri"}, ["29T22:00", "27T22:00"]),
        ("Africa/Cairo", "2027-04-29T12:00+02:00", {"day_of_week": "fri"}, ["29T22:00", "06T21:00"]),
        # Only the first of what is skipped, and none if another comes by then.
        ("Africa/Cairo", "2027-04-29T12:00+02:00", {"hour": 0, "minute": "5,50"}, ["29T22:05", "30T21:05", "30T21:50"]),
        ("Africa/Cairo", "2027-04-29T12:00+02:00", {"hour": "0,1", "minute": "10,40"},
         ["29T22:10", "29T22:40", "30T21:10"]),
        # In Nuuk 23:00 to 24:00 are skipped; in Apia the 30th was.
        ("America/Nuuk", "2024-03-30T12:00-02:00", {"hour": 23, "minute": 30}, ["31T01:30", "01T00:30"]),
        ("Pacific/Apia", "2011-12-29T00:00-10:00", {"hour": 10}, ["29T20:00", "30T20:00", "31T20:00"]),
        # A start in an hour that comes twice, and a time that is skipped in the same year.
        ("America/Santiago", "2027-04-03T23:30-04:00", {"month": 9, "day": 5, "minute": 30, "hour": 0}, ["05T04:30"]),
    ],
)  # fmt: skip
def test_what_the_clocks_skip_is_made_up_for_whichever_step_leads_there(
    zone: str, begin: str, fields: dict[str, Any], owed: list[str]
) -> None:
    """As the reference has it: later by as much as the clocks jump; instants in UTC."""
    trigger = Cron(**fields, start_time=datetime.fromisoformat(begin), timezone=zone)

    assert [utc(text)[8:] for text in times(trigger, len(owed))] == owed


def test_a_cron_trigger_begins_at_its_start_whatever_zone_that_is_given_in() -> None:
    """From 10:30Z on, 11:00 in Berlin (10:00Z) is tomorrow; APScheduler fires before the start."""
    given: dict[str, Any] = {"hour": 11, "start_time": datetime(2026, 1, 1, 10, 30, tzinfo=UTC), "timezone": BERLIN}

    assert times(CronTrigger(**given), 1) == ["2026-01-01T11:00:00+01:00"]
    assert times(Cron(**given), 1) == ["2026-01-02T11:00:00+01:00"]


def test_a_start_between_two_seconds_leaves_the_times_at_whole_ones() -> None:
    """APScheduler's every second is every half past one, then."""
    given: dict[str, Any] = {
        "second": "*",
        "start_time": datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
        "timezone": UTC,
    }

    assert times(CronTrigger(**given), 1) == ["2026-01-01T00:00:00.500000+00:00"]
    assert times(Cron(**given), 2) == ["2026-01-01T00:00:01+00:00", "2026-01-01T00:00:02+00:00"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1-5/2", "mon,wed,fri"),
        ("mon-fri/2", "mon,wed,fri"),
        ("0-6/2", "tue,thu,sat,sun"),
        ("sat-mon", "mon,sat,sun"),
        ("5-1", "mon,fri,sat,sun"),
        ("1/3", "mon,thu,sun"),
        ("0-7", "mon,tue,wed,thu,fri,sat,sun"),
        ("7,3", "sun,wed"),
        (0, "sun"),
        ("*/2", "*/2"),
        ("mon-blue", "mon-blue"),
        ("9", "9"),
        ("mon-fri/0", "mon-fri/0"),
    ],
)
def test_weekdays_keep_their_steps(said: str | int, meant: str) -> None:
    """Numbers as crontab counts them, names, ranges over the weekend; what is none is left for a refusal (#1117)."""
    assert weekdays(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("jan-jun/2", "1-6/2"), ("mar", "3"), (4, "4"), ("Jan,may-jul", "1,5-7"), ("*/3", "*/3"), ("jan-foo", "jan-foo")],
)
def test_months_keep_their_steps(said: str | int, meant: str) -> None:
    """Names become numbers, since a step after a name is dropped."""
    assert months(said) == meant


def test_steps_reach_the_trigger() -> None:
    """From a crontab line, too: Monday, Wednesday, Friday, of January, March, May."""
    spec = {"type": "cron", "crontab": "0 0 * jan-jun/2 1-5/2", "start_time": "2026-01-28T00:00:00Z"}

    assert [text[5:10] for text in times(build_trigger(spec), 3)] == ["01-28", "01-30", "03-02"]


def test_an_hour_is_an_hour_when_the_clocks_change() -> None:
    """APScheduler's hourly interval waits two hours when clocks go back (#372)."""
    given: dict[str, Any] = {"hours": 1, "start_time": datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)}

    theirs, ours = ([zones.micros(t) // (3600 * zones.SECOND) for t in islice(iter(trigger.next, None), 3)]
                    for trigger in (IntervalTrigger(**given), Interval(**given)))  # fmt: skip

    assert [after - before for before, after in pairwise(theirs)] == [1, 2]
    assert [after - before for before, after in pairwise(ours)] == [1, 1]


def test_a_day_whose_time_is_skipped_near_midnight_moves_no_other() -> None:
    """In Nuuk 23:30 of 2024-03-30 does not exist; APScheduler leaves out the 31st as well (#1138)."""
    given: dict[str, Any] = {
        "days": 1,
        "hour": 23,
        "minute": 30,
        "start_date": date(2024, 3, 29),
        "timezone": ZoneInfo("America/Nuuk"),
    }

    assert [text[5:10] for text in times(CalendarIntervalTrigger(**given), 3)] == ["03-29", "04-01", "04-02"]
    assert [text[5:10] for text in times(Calendar(**given), 3)] == ["03-29", "03-31", "04-01"]


def test_a_day_that_never_comes_is_given_up() -> None:
    """30 February: within some hundred steps instead of ten thousands; 29 February on a Monday is found in 2044."""
    steps = {CronTrigger: 0, Cron: 0}

    def counted(kind: Any) -> Any:
        class Counting(kind):  # type: ignore[misc]
            def _set_field_value(self, *args: Any) -> Any:
                steps[kind] += 1
                return super()._set_field_value(*args)

        return Counting(**given, start_time=datetime(2026, 1, 1, tzinfo=UTC), timezone=UTC)

    given: dict[str, Any] = {"month": 2, "day": 30}
    assert [counted(CronTrigger).next(), counted(Cron).next()] == [None, None]
    assert steps[CronTrigger] > 7000
    assert steps[Cron] < 100
    given |= {"day": 29, "day_of_week": "mon"}
    assert times(counted(Cron), 2) == ["2044-02-29T00:00:00+00:00", "2072-02-29T00:00:00+00:00"]
    assert times(counted(Cron), 1) == times(counted(CronTrigger), 1)


@pytest.mark.parametrize(
    ("theirs", "ours", "given"),
    [
        (IntervalTrigger, Interval, {"weeks": 500_000, "start_time": datetime(2026, 1, 1, tzinfo=UTC)}),
        (CalendarIntervalTrigger, Calendar, {"years": 9000, "start_date": date(2026, 1, 1), "timezone": UTC}),
    ],
)
def test_a_time_beyond_the_calendar_is_the_end(theirs: Any, ours: Any, given: dict[str, Any]) -> None:
    """APScheduler's triggers raise when asked for it, which its scheduler does not survive."""
    failing, ending = theirs(**given), ours(**given)
    failing.next()

    with pytest.raises((OverflowError, ValueError)):
        failing.next()
    assert [ending.next() is not None, ending.next()] == [True, None]


def expression(low: int, high: int) -> st.SearchStrategy[str]:
    """A cron expression for a field with this range."""
    one = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted).map(lambda p: f"{p[0]}-{p[1]}")
    return st.one_of(st.just("*"), one, span, st.integers(1, 9).map(lambda n: f"*/{n}"))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "month": expression(1, 12),
        "day": st.one_of(expression(1, 28), st.sampled_from(["last", "last fri", "3rd tue"])),
        "day_of_week": st.sampled_from(["mon-fri", "sat,sun", "fri-mon", "*/2", "1-5/2", "0", "tue-sun/3"]),
        "hour": expression(0, 23),
        "minute": expression(0, 59),
        "second": st.sampled_from(["0", "17", "*/20"]),
    },
)
CHANGES = [
    "2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00", "2026-04-04T15:00",
    "2026-10-03T15:30", "2026-03-28T22:00", "2026-10-24T21:00", "2026-07-01T12:00", "2026-03-08T05:00",
    "2026-11-01T05:00", "2026-04-23T22:00", "2026-10-29T21:00",
]  # fmt: skip
"""When clocks change in one of the zones, and once when they do not."""


@settings(deadline=None, max_examples=25)
@for_any(FIELDS, st.sampled_from(ZONES), st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(0, 90_000_000),
       st.integers(1, 60))  # fmt: skip
def test_cron_times_are_those_of_the_model(
    fields: dict[str, str], zone: str, other: str, change: str, before: int, hours: int
) -> None:
    """For any fields, through every kind of shift, with a start in any zone and at any fraction of a second; what the
    clocks skip is made up for, and no oftener than the reference has it.
    """
    assume(fields)
    shift = zones.micros(datetime.fromisoformat(change).replace(tzinfo=UTC))
    start = shift - before * 1000
    data = {"kind": "cron", "fields": fields, "zone": zone, "start": start, "makes_up": True}
    begin = zones.moment(start).astimezone(ZoneInfo(other)).isoformat()
    trigger = build_trigger({"type": "cron", **fields, "timezone": zone, "start_time": begin})

    assert differences(data, trigger, shift + hours * 3600 * zones.SECOND) == {}


FORWARD = {
    "Europe/Berlin": "2027-03-28T01:00", "America/New_York": "2027-03-14T07:00", "Asia/Beirut": "2027-03-27T22:00",
    "Australia/Lord_Howe": "2026-10-03T15:30", "America/Havana": "2027-03-14T05:00", "Africa/Cairo": "2027-04-29T22:00",
    "America/Santiago": "2027-09-05T04:00", "Atlantic/Azores": "2027-03-28T01:00",
}  # fmt: skip
"""When clocks go forward, in UTC."""
HOURS = ["*", "0", "1", "2", "3", "0-1", "1-2", "0,2", "23,0", "1-3", "22-23", "*/2"]
MINUTES = ["*", "0", "5", "15", "30", "45", "10,50", "20-25", "*/15", "59"]


@settings(deadline=None, max_examples=60)
@for_any(
    st.sampled_from(sorted(FORWARD)), st.sampled_from(HOURS), st.sampled_from(MINUTES), st.integers(1, 30 * 60)
)  # fmt: skip
def test_what_the_clocks_skip_is_made_up_for_as_in_the_model(zone: str, hour: str, minute: str, before: int) -> None:
    """Hours and minutes in and about the gap of any zone, from up to thirty hours before until two days after."""
    shift = zones.micros(datetime.fromisoformat(FORWARD[zone]).replace(tzinfo=UTC))
    start = shift - before * 60 * zones.SECOND
    fields = {"hour": hour, "minute": minute}
    data = {"kind": "cron", "fields": fields, "zone": zone, "start": start, "makes_up": True}
    trigger = build_trigger({"type": "cron", **fields, "timezone": zone, "start_time": zones.moment(start).isoformat()})

    assert differences(data, trigger, shift + 2 * DAY) == {}


@settings(deadline=None, max_examples=15)
@for_any(
    st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)).filter(any),
    st.dates(date(2024, 1, 1), date(2026, 1, 1)),
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)),
    st.sampled_from((*ZONES, "America/Nuuk")),
)
def test_calendar_times_are_those_of_the_model(
    step: tuple[int, int, int, int], start: date, time: tuple[int, int, int], zone: str
) -> None:
    """For any step, start, time of day and zone, over two years."""
    years, months, weeks, days = step
    data = {
        "kind": "calendar", "years": years, "months": months, "weeks": weeks, "days": days,
        "time": list(time), "zone": zone, "start_date": start.isoformat(),
    }  # fmt: skip
    trigger = Calendar(
        years=years, months=months, weeks=weeks, days=days, hour=time[0], minute=time[1], second=time[2],
        start_date=start, timezone=zone,
    )  # fmt: skip

    assert differences(data, trigger, zones.micros(datetime(start.year + 2, 1, 1, tzinfo=UTC))) == {}


def test_a_day_that_was_left_out_is_remembered_by_the_store() -> None:
    """The state that goes into the store and comes back is the day that was left out, too."""
    trigger = Calendar(days=2, hour=2, minute=30, start_date=date(2026, 3, 27), timezone=BERLIN)
    seen = [zones.moment(at).strftime("%m-%d") for at in islice(fired(trigger, 2**62), 3)]

    assert seen == ["03-27", "03-31", "04-02"]
