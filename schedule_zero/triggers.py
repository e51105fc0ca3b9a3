"""Triggers as clients write them, in JSON, turned into APScheduler's.

>>> build_trigger({"type": "interval", "minutes": 5}).minutes
5
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from apscheduler.abc import Trigger

from schedule_zero.apscheduler_fixes.cron_steps import spelled_out
from schedule_zero.instants import EARLIEST, LATEST, is_tellable
from schedule_zero.refusals import InvalidRequest

SHORTEST_INTERVAL = timedelta(milliseconds=10)
"""A schedule that fires more often would leave nothing to the others."""
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "microseconds")
_CRON = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
_WORDS = ("minute", "hour", "day", "month", "day_of_week")
_CALENDAR = ("years", "months", "weeks", "days", "hour", "minute", "second")
_FIELDS = {
    "date": ("run_date",),
    "interval": (*_UNITS, "start_time", "end_time"),
    "cron": (*_CRON, "crontab", "start_time", "end_time", "timezone"),
    "calendar": (*_CALENDAR, "start_date", "end_date", "timezone"),
}
#: Files that lie beside the zones of the database on some machines: the machine's own zone, variants of the others.
_OF_THE_MACHINE = ("localtime", "posixrules", "posix/", "right/")
#: A calendar date that does not exist in any year must not be searched for ever.
_MOST_CALENDAR_UNITS = 10_000


def build_trigger(spec: Mapping[str, Any]) -> Trigger:
    """The trigger that `spec` describes by its ``type`` (date, interval, cron, calendar) and that type's
    fields.

    Raises `InvalidRequest` naming the field. Instants without an offset are UTC, and lie between `EARLIEST` and
    `LATEST`; ``timezone`` is an IANA name, UTC if absent.
    """
    if not isinstance(spec, Mapping):
        raise InvalidRequest("trigger", "expected an object with a type")
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise InvalidRequest("trigger.type", f"expected one of {', '.join(_FIELDS)}, found {kind!r}")
    allowed = _FIELDS[kind]
    for name in spec:
        if name != "type" and name not in allowed:
            raise InvalidRequest(f"trigger.{name}", f"unknown for type {kind}; expected {', '.join(allowed)}")
    values = {name: _parse(name, value) for name, value in spec.items() if name != "type" and value is not None}
    try:
        return _BUILDERS[kind](values)
    except InvalidRequest:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRequest("trigger", str(error)) from error


def describe_trigger(trigger: Trigger) -> str:
    """One line that says what the trigger does, for people."""
    return repr(trigger)


def _parse(name: str, value: Any) -> Any:
    parser = _PARSERS.get(name)
    if parser is not None:
        return parser(name, value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        _refuse(name, "expected a number or an expression", value)
    return value


def _instant(name: str, value: Any) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        _refuse(name, "expected an ISO 8601 date and time", value)
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=ZoneInfo("UTC"))
    if not is_tellable(aware):
        _refuse(name, f"expected an instant from {EARLIEST.isoformat()} to {LATEST.isoformat()}", value)
    return aware


def _date(name: str, value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        _refuse(name, "expected an ISO 8601 date", value)


def _zone(name: str, value: Any) -> ZoneInfo:
    try:
        # Not even looked at: on most machines there is such a file.
        return ZoneInfo("" if str(value).startswith(_OF_THE_MACHINE) else value)
    except (KeyError, ValueError, TypeError, OSError):
        _refuse(name, "expected a time zone of the IANA database such as Europe/Berlin", value)


def _refuse(name: str, expected: str, found: Any) -> NoReturn:
    raise InvalidRequest(f"trigger.{name}", f"{expected}, found {found!r}")


def _build_date(values: dict[str, Any]) -> Trigger:
    from apscheduler.triggers.date import DateTrigger

    if "run_date" not in values:
        raise InvalidRequest("trigger.run_date", "missing: when to run")
    return DateTrigger(run_time=values["run_date"])


def _build_interval(values: dict[str, Any]) -> Trigger:
    from schedule_zero.apscheduler_fixes.triggers import Interval

    for name in _UNITS:
        if isinstance(values.get(name), str):
            _refuse(name, "expected a number", values[name])
    values.setdefault("start_time", datetime.now(UTC))
    trigger = Interval(**values)
    if trigger._interval < SHORTEST_INTERVAL:
        raise InvalidRequest("trigger", f"an interval of less than {SHORTEST_INTERVAL.total_seconds():g} s")
    return trigger


def _build_cron(values: dict[str, Any]) -> Trigger:
    from schedule_zero.apscheduler_fixes.triggers import Cron

    values.setdefault("timezone", ZoneInfo("UTC"))
    values.setdefault("start_time", datetime.now(UTC))
    expression = values.pop("crontab", None)
    if expression is not None:
        mixed = [name for name in _CRON if name in values]
        if mixed:
            raise InvalidRequest("trigger.crontab", f"cannot be combined with {', '.join(mixed)}")
        values |= _crontab(str(expression))
    return Cron(**spelled_out(values))


def _crontab(expression: str) -> dict[str, str]:
    words = expression.split()
    if len(words) != len(_WORDS):
        _refuse("crontab", f"expected five words ({' '.join(_WORDS)})", expression)
    return dict(zip(_WORDS, words, strict=True))


def _build_calendar(values: dict[str, Any]) -> Trigger:
    from schedule_zero.apscheduler_fixes.triggers import Calendar

    for name in _CALENDAR:
        number = values.get(name, 0)
        if not isinstance(number, int) or not 0 <= number <= _MOST_CALENDAR_UNITS:
            _refuse(name, f"expected a whole number from 0 to {_MOST_CALENDAR_UNITS}", number)
    zone = values.setdefault("timezone", ZoneInfo("UTC"))
    values.setdefault("start_date", datetime.now(zone).date())
    return Calendar(**values)


_PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "run_date": _instant,
    "start_time": _instant,
    "end_time": _instant,
    "start_date": _date,
    "end_date": _date,
    "timezone": _zone,
}
_BUILDERS: dict[str, Callable[[dict[str, Any]], Trigger]] = {
    "date": _build_date,
    "interval": _build_interval,
    "cron": _build_cron,
    "calendar": _build_calendar,
}
