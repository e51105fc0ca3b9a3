"""Plain data turned into triggers of APScheduler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from apscheduler.abc import Trigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from harness.models import zones


def build(data: Mapping[str, Any]) -> Trigger:
    """The trigger of APScheduler that `data` (see `harness.models.triggers.parse`) describe."""
    match data["kind"]:
        case "date":
            return DateTrigger(zones.moment(data["at"]))
        case "interval":
            return _interval(data)
        case "cron":
            where = zones.zone(data["zone"])
            # In the trigger's own zone: APScheduler compares the fields with the start as it is given.
            start = zones.moment(data["start"]).astimezone(where)
            end: Any = None if data.get("end") is None else zones.moment(data["end"])
            return CronTrigger(**data["fields"], start_time=start, end_time=end, timezone=where)
        case "calendar":
            return _calendar(data)
        case "and":
            parts = [build(part) for part in data["of"]]
            return AndTrigger(parts, threshold=timedelta(microseconds=data["threshold"]))
        case "or":
            return OrTrigger([build(part) for part in data["of"]])
    raise ValueError(f"unknown kind of trigger {data['kind']!r}")


def _interval(data: Mapping[str, Any]) -> Trigger:
    seconds, micros = divmod(data["every"], zones.SECOND)
    end: Any = None if data.get("end") is None else zones.moment(data["end"])
    return IntervalTrigger(
        seconds=seconds, microseconds=micros, start_time=zones.moment(data["start"]), end_time=end
    )


def _calendar(data: Mapping[str, Any]) -> Trigger:
    hour, minute, second = data["time"]
    step = {unit: data.get(unit, 0) for unit in ("years", "months", "weeks", "days")}
    return CalendarIntervalTrigger(
        **step,
        hour=hour,
        minute=minute,
        second=second,
        start_date=date.fromisoformat(data["start_date"]),
        timezone=zones.zone(data["zone"]),
    )
