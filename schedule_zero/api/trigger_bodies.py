"""Triggers as they stand in a body: what each type may say, checked before APScheduler is asked.

What can only be known by computing (whether it ever fires, whether a cron expression makes sense) is for
`schedule_zero.triggers` to refuse.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schedule_zero.refusals import InvalidRequest

_Moment = Annotated[
    str,
    Meta(
        description="An ISO 8601 date and time; UTC unless it has an offset.",
        extra_json_schema={"format": "date-time"},
        min_length=1,
        max_length=64,
    ),
]
_Day = Annotated[
    str, Meta(description="An ISO 8601 date.", extra_json_schema={"format": "date"}, min_length=1, max_length=32)
]
_Zone = Annotated[
    str, Meta(description="A time zone of the IANA database; UTC if absent.", min_length=1, max_length=64)
]
_Amount = Annotated[float, Meta(ge=0, le=1e9)]
_Whole = Annotated[int, Meta(ge=0, le=10_000)]
_Expression = Annotated[str, Meta(min_length=1, max_length=200)]


class _Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    pass


class DateTrigger(_Trigger, frozen=True, tag="date"):
    """Once, at `run_date`; one in the past fires at once, unless its misfire grace time is over."""

    run_date: _Moment


class IntervalTrigger(_Trigger, frozen=True, tag="interval"):
    """Every so often, beginning at `start_time` (now if absent). One of the amounts must be more than zero."""

    weeks: _Amount | None = None
    days: _Amount | None = None
    hours: _Amount | None = None
    minutes: _Amount | None = None
    seconds: _Amount | None = None
    microseconds: _Amount | None = None
    start_time: _Moment | None = None
    end_time: _Moment | None = None


class CronTrigger(_Trigger, frozen=True, tag="cron"):
    """When the clock of `timezone` matches every field, each a number or an expression such as ``*/5`` or ``1-5``.

    Fields below the most significant one that is given are at their least, those above it at any value. `crontab`
    is all of minute, hour, day, month and day of week in one line, in place of them.
    """

    year: Annotated[int, Meta(ge=1970, le=9999)] | _Expression | None = None
    month: Annotated[int, Meta(ge=1, le=12)] | _Expression | None = None
    day: Annotated[int, Meta(ge=1, le=31)] | _Expression | None = None
    week: Annotated[int, Meta(ge=1, le=53)] | _Expression | None = None
    day_of_week: Annotated[int, Meta(ge=0, le=7)] | _Expression | None = None
    hour: Annotated[int, Meta(ge=0, le=23)] | _Expression | None = None
    minute: Annotated[int, Meta(ge=0, le=59)] | _Expression | None = None
    second: Annotated[int, Meta(ge=0, le=59)] | _Expression | None = None
    crontab: _Expression | None = None
    start_time: _Moment | None = None
    end_time: _Moment | None = None
    timezone: _Zone | None = None


class CalendarTrigger(_Trigger, frozen=True, tag="calendar"):
    """Every so many years, months, weeks and days after `start_date` (today if absent), at a time of day."""

    years: _Whole | None = None
    months: _Whole | None = None
    weeks: _Whole | None = None
    days: _Whole | None = None
    hour: Annotated[int, Meta(ge=0, le=23)] | None = None
    minute: Annotated[int, Meta(ge=0, le=59)] | None = None
    second: Annotated[int, Meta(ge=0, le=59)] | None = None
    start_date: _Day | None = None
    end_date: _Day | None = None
    timezone: _Zone | None = None


AnyTrigger = DateTrigger | IntervalTrigger | CronTrigger | CalendarTrigger
#: Where a body has a trigger, the document refers to this.
COMPONENT = "Trigger"


def check_trigger(spec: dict[str, Any] | None) -> None:
    """Raise `InvalidRequest` by the field's name for a trigger that is not of these shapes.

    >>> check_trigger({"type": "cron", "hour": 24})
    Traceback (most recent call last):
    schedule_zero.refusals.InvalidRequest: trigger.hour: Expected `int` <= 23
    """
    if spec is None:
        return
    try:
        msgspec.convert(spec, AnyTrigger)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at ")
        field = "trigger" + place.strip("`").removeprefix("$")
        if field == "trigger":
            if "unknown field" in detail:
                field = f"trigger.{detail.split('`')[1]}"
                detail = f"unknown for type {spec.get('type')}"
            elif "`type`" in detail:
                field = "trigger.type"
            elif "missing required field" in detail:
                field = f"trigger.{detail.split('`')[1]}"
        raise InvalidRequest(field, detail) from None
