"""The fields of a cron expression: which values each allows on which day."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

ORDER = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
"""From the most to the least significant, as APScheduler has them."""
_RANGES: Mapping[str, tuple[int, int]] = {
    "year": (1970, 9999), "month": (1, 12), "day": (1, 31), "week": (1, 53),
    "day_of_week": (0, 6), "hour": (0, 23), "minute": (0, 59), "second": (0, 59),
}  # fmt: skip
_UNSAID = {"year": "*", "month": "1", "day": "1", "week": "*", "day_of_week": "*"}
"""What a field means that is less significant than every field that was given; the times of day: 0."""
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NTH = ("1st", "2nd", "3rd", "4th", "5th", "last")
_NUMBERS = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_POSITION = re.compile(rf"({'|'.join(_NTH)}) +(\w+)", re.IGNORECASE)

DayRule = Callable[[date], bool]


@dataclass(frozen=True)
class Fields:
    """A parsed expression: `day` says whether anything fires on a day, the rest at which times of it."""

    day_rules: tuple[DayRule, ...]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    last_year: int

    def day(self, day: date) -> bool:
        """Whether all date fields allow this day."""
        return all(rule(day) for rule in self.day_rules)


def parse(given: Mapping[str, str | int]) -> Fields:
    """The fields as given by name; raises `ValueError` for a field or an expression that does not exist.

    Fields left out are any value when they are more significant than one that was given, else their least value:
    ``{"hour": 3}`` is 03:00:00 every day.
    """
    if unknown := sorted(set(given) - set(ORDER)):
        raise ValueError(f"unknown cron field {unknown[0]!r}, expected one of {', '.join(ORDER)}")
    last = max((ORDER.index(name) for name in given), default=-1)
    texts = {
        name: str(given[name]).strip() if name in given else "*" if place < last else _UNSAID.get(name, "0")
        for place, name in enumerate(ORDER)
    }
    years = _numbers("year", texts["year"])
    months, weeks = _numbers("month", texts["month"]), _numbers("week", texts["week"])
    weekdays, days = _numbers("day_of_week", texts["day_of_week"]), _days(texts["day"])
    rules: tuple[DayRule, ...] = (
        lambda day: day.year in years,
        lambda day: day.month in months,
        lambda day: day.isocalendar()[1] in weeks,
        lambda day: day.weekday() in weekdays,
        lambda day: any(rule(day) for rule in days),
    )
    times = [tuple(sorted(_numbers(name, texts[name]))) for name in ("hour", "minute", "second")]
    return Fields(rules, times[0], times[1], times[2], max(years))


def crontab(expression: str) -> dict[str, str]:
    """The fields of the five words of a crontab line; raises `ValueError` when it is none.

    >>> crontab("*/5 3 * * mon")["minute"]
    '*/5'
    """
    words = expression.split()
    if len(words) != 5:
        raise ValueError(f"expected five words, such as '*/5 3 * * mon', found {len(words)}: {expression!r}")
    return dict(zip(("minute", "hour", "day", "month", "day_of_week"), words, strict=True))


def _numbers(name: str, text: str) -> frozenset[int]:
    low, high = _RANGES[name]
    values: set[int] = set()
    for part in re.split(" *, *", text):
        match = _NUMBERS.fullmatch(part)
        if match is None:
            raise ValueError(f"cron field {name}: cannot read {part!r}")
        step = int(match[4] or 1)
        first = low if match[1] else _value(name, match[2])
        last = _value(name, match[3]) if match[3] else high if match[1] or match[4] else first
        if name == "day_of_week" and first > last:  # fri-mon goes over the weekend
            values |= {value % 7 for value in range(first, last + 8, step)}
            continue
        if not (low <= first <= last <= high and step > 0):
            raise ValueError(f"cron field {name}: {part!r} is outside {low}-{high}")
        values |= set(range(first, last + 1, step))
    return frozenset(values)


def _value(name: str, word: str) -> int:
    names = {"month": _MONTHS, "day_of_week": _WEEKDAYS}.get(name, ())
    if word.lower() in names:
        return names.index(word.lower()) + (1 if name == "month" else 0)
    if not word.isdecimal():
        raise ValueError(f"cron field {name}: cannot read {word!r}")
    # Crontab counts days from Sunday, which is both 0 and 7; Monday is the first day here.
    return (int(word) - 1) % 7 if name == "day_of_week" and int(word) <= 7 else int(word)


def _days(text: str) -> list[DayRule]:
    rules: list[DayRule] = []
    for part in re.split(" *, *", text):
        if part.lower() == "last":
            rules.append(lambda day: day.day == calendar.monthrange(day.year, day.month)[1])
        elif match := _POSITION.fullmatch(part):
            rules.append(_position(_NTH.index(match[1].lower()), _value("day_of_week", match[2])))
        else:
            rules.append(_plain(_numbers("day", part)))
    return rules


def _plain(values: frozenset[int]) -> DayRule:
    return lambda day: day.day in values


def _position(number: int, weekday: int) -> DayRule:
    def holds(day: date) -> bool:
        if day.weekday() != weekday:
            return False
        last = calendar.monthrange(day.year, day.month)[1]
        return day.day + 7 > last if number == 5 else (day.day - 1) // 7 == number

    return holds
