"""What a form shows for a trigger that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from schedule_zero.web.wording import days, taken_apart

__all__ = ["entries"]

_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_CRON = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")


def entries(trigger: str) -> dict[str, str]:
    """The fields of the form by name; none for a trigger that is not understood. When it began is left out: changed,
    it begins anew.

    >>> entries("Interval(seconds=5, start_time='2026-11-22 08:16:40+00:00')")
    {'type': 'interval', 'timezone': 'UTC', 'interval.seconds': '5'}
    """
    taken = taken_apart(trigger)
    if taken is None:
        return {}
    kind, given = taken
    zone = str(given.get("timezone", "UTC"))
    return {"type": kind, "timezone": zone, **_READERS[kind](given, ZoneInfo(zone))}


def _interval(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    return _amounts("interval", _UNITS, given) | _end("interval", given, zone)


def _cron(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    if (given.get("year"), given.get("week"), given["second"]) == ("*", "*", "0"):
        words = [str(given[name]) for name in ("minute", "hour", "day", "month")]
        line = " ".join([*words, days(str(given["day_of_week"]))])
        return {"cron.crontab": line, **_end("cron", given, zone)}
    return {f"cron.{name}": str(given[name]) for name in _CRON if name in given} | _end("cron", given, zone)


def _calendar(given: Mapping[str, Any], _: ZoneInfo) -> dict[str, str]:
    amounts = _amounts("calendar", ("years", "months", "weeks", "days"), given)
    days = {f"calendar.{name}": str(given[name]) for name in ("start_date", "end_date") if given.get(name)}
    return {**amounts, "calendar.time": str(given["time"])[:8], **days}


def _date(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    return {"date.run_date": _local(given["0"], zone)}


def _amounts(kind: str, units: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, str]:
    return {f"{kind}.{unit}": f"{given[unit]:g}" for unit in units if given.get(unit)}


def _end(kind: str, given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    return {f"{kind}.end_time": _local(given["end_time"], zone)} if given.get("end_time") else {}


def _local(text: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(text).astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


_READERS = {"interval": _interval, "cron": _cron, "calendar": _calendar, "date": _date}
