"""How times, spans and triggers are put for people."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from typing import Any

from tornado.escape import xhtml_escape

from schedule_zero.execution_log import Outcome

__all__ = ["count", "days", "moment", "name", "outcome", "outcomes", "shortened", "span", "taken_apart", "trigger"]

_OUTCOMES = {
    Outcome.SUCCESS: ("good", "Success"),
    Outcome.ERROR: ("bad", "Error"),
    Outcome.TIMEOUT: ("bad", "Timed out"),
    Outcome.UNREACHABLE: ("bad", "Unreachable"),
    Outcome.MISSED: ("warn", "Missed"),
    Outcome.ABANDONED: ("warn", "Abandoned"),
    Outcome.CANCELLED: ("off", "Cancelled"),
}
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "microseconds")
_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CRONTAB = ("minute", "hour", "day", "month", "day_of_week")


def moment(instant: datetime | None, *, relative: bool = False) -> str:
    """HTML of a time: in UTC, which the script puts into the browser's zone; how far away it is if `relative`."""
    if instant is None:
        return '<span class="none">–</span>'
    at = instant.astimezone(UTC)
    iso = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    more = " data-relative" if relative else ""
    return f'<time datetime="{iso}" title="{iso}"{more}>{at:%Y-%m-%d %H:%M:%S} UTC</time>'


def name(text: str | None) -> str:
    """HTML of an id, kept from turning round the words about it whatever direction it is written in."""
    return '<span class="none">–</span>' if text is None else f"<bdi>{xhtml_escape(text)}</bdi>"


def span(seconds: float | None) -> str:
    """A duration.

    >>> [span(s) for s in (0.0123, 3.42, 65, 3600, 90000)]
    ['12 ms', '3.4 s', '1 min 5 s', '1 h', '1 d 1 h']
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "job"), count(1200, "job")
    ('1 job', '1,200 jobs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str, most: int = 160) -> str:
    """The beginning of a text that may be very long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def outcome(which: Outcome | None) -> tuple[str, str]:
    """The class and the word of an outcome; of None, which is an execution under way."""
    return ("run", "Running") if which is None else _OUTCOMES[which]


def outcomes() -> list[tuple[str, str]]:
    """Value and word of every outcome there is."""
    return [(which.value, word) for which, (_, word) in _OUTCOMES.items()]


def trigger(text: str) -> str:
    """What a trigger does, from how APScheduler writes it; as it stands where that is not understood.

    >>> trigger("Interval(seconds=5, start_time='2026-11-22 08:16:40+00:00')")
    'every 5 seconds'
    >>> trigger("CronTrigger(year='*', month='*', day='*', week='*', day_of_week='*', hour='3', minute='30', "
    ...         "second='0', start_time='2026-11-22T09:16:41+01:00', timezone='Europe/Berlin')")
    'daily at 03:30, Europe/Berlin'
    """
    taken = taken_apart(text)
    if taken is None:
        return text
    kind, given = taken
    said = _READERS[kind](given)
    ends = given.get("end_time") or given.get("end_date")
    return f"{said}, until {str(ends)[:16]}" if ends else said


def taken_apart(text: str) -> tuple[str, dict[str, Any]] | None:
    """The type of a trigger and its fields, from how APScheduler writes it; None where that is not understood.

    >>> taken_apart("DateTrigger('2030-01-01 00:00:00+02:00')")
    ('date', {'0': '2030-01-01 00:00:00+02:00'})
    """
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        given = {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
        given |= {str(number): ast.literal_eval(value) for number, value in enumerate(call.args)}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    kind = _KINDS.get(call.func.id)
    needed = {"date": {"0"}, "calendar": {"time"}, "cron": {*_CRONTAB, "hour", "second"}}
    return (kind, given) if kind and needed.get(kind, set()) <= given.keys() else None


def _date(_: dict[str, Any]) -> str:
    return "once"


def _interval(given: dict[str, Any]) -> str:
    amounts = [(given[unit], unit) for unit in _UNITS if given.get(unit)]
    return _every(amounts)


def _calendar(given: dict[str, Any]) -> str:
    amounts = [(given[unit], unit) for unit in ("years", "months", "weeks", "days") if given.get(unit)]
    return f"{_every(amounts)} at {_clock(str(given['time']))}{_zone(given)}"


def _cron(given: dict[str, Any]) -> str:
    minute, hour, day, month, weekday = (str(given[name]) for name in _CRONTAB)
    usual = given.get("year") == "*" and given.get("week") == "*" and given.get("second") == "0"
    if not usual:
        named = [
            f"{field}={given[field]}"
            for field in ("year", "month", "week", "day", "day_of_week")
            if given.get(field) not in (None, "*")
        ]
        clock = ":".join(str(given[field]) for field in ("hour", "minute", "second"))
        return f"cron {' '.join([*named, clock])}{_zone(given)}"
    if minute.isdigit() and hour.isdigit() and (day, month, weekday) == ("*", "*", "*"):
        return f"daily at {int(hour):02d}:{int(minute):02d}{_zone(given)}"
    if minute.isdigit() and (hour, day, month, weekday) == ("*", "*", "*", "*"):
        return f"hourly at minute {minute}{_zone(given)}"
    return f"cron {minute} {hour} {day} {month} {days(weekday)}{_zone(given)}"


def _every(amounts: list[tuple[Any, str]]) -> str:
    if len(amounts) == 1 and amounts[0][0] == 1:
        return f"every {amounts[0][1][:-1]}"
    return "every " + " ".join(f"{amount:g} {unit if amount != 1 else unit[:-1]}" for amount, unit in amounts)


def _clock(time: str) -> str:
    """``04:00:00+00:00`` without what says nothing."""
    plain = time.partition("+")[0]
    return plain.removesuffix(":00") if plain.count(":") == 2 else plain


def days(text: str) -> str:
    """A row of weekdays by the first and the last."""
    named = text.split(",")
    first = _WEEK.index(named[0]) if named[0] in _WEEK else 0
    in_a_row = len(named) > 2 and named == _WEEK[first : first + len(named)]
    return f"{named[0]}-{named[-1]}" if in_a_row else text


def _zone(given: dict[str, Any]) -> str:
    zone = given.get("timezone", "UTC")
    return "" if zone == "UTC" else f", {zone}"


_READERS = {"date": _date, "interval": _interval, "calendar": _calendar, "cron": _cron}
_KINDS = {
    "DateTrigger": "date",
    "Interval": "interval",
    "IntervalTrigger": "interval",
    "Calendar": "calendar",
    "CalendarIntervalTrigger": "calendar",
    "Cron": "cron",
    "CronTrigger": "cron",
}
