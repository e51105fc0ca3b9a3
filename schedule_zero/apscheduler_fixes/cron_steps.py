"""The step of ``1-5/2``, ``mon-fri/2`` and ``jan-jun/2`` is dropped without a word (agronholm/apscheduler#1117).

The numbers of weekdays are turned into names, and names know no step; what follows a name is not looked at.

>>> weekdays("1-5/2")
'mon,wed,fri'
>>> months("jan-jun/2")
'1-6/2'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART: Final = re.compile(r"(\w+)(?:-(\w+))?(?:/(\d+))?")


def spelled_out(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Cron fields in a form in which APScheduler drops nothing; what it would refuse is left as it is."""
    spell = {"day_of_week": weekdays, "month": months}
    return {name: spell[name](value) if name in spell else value for name, value in fields.items()}


def weekdays(expression: str | int) -> str:
    """A field ``day_of_week``, with a name for each day: 0 and 7 are Sunday, and ``fri-mon`` goes over the weekend."""
    return ",".join(map(_weekdays_of, str(expression).split(",")))


def months(expression: str | int) -> str:
    """A field ``month`` in numbers."""
    return ",".join(map(_months_of, str(expression).split(",")))


def _weekdays_of(part: str) -> str:
    match = _PART.fullmatch(part.strip())
    first = None if match is None else _number(match[1], _DAYS)
    if match is None or first is None or not 0 <= first <= 7:
        return part
    last = _number(match[2], _DAYS) if match[2] else _end(first) if match[3] else first
    step = int(match[3] or 1)
    if last is None or not 0 <= last <= 7 or step == 0:
        return part
    days = range(first, (last if last >= first else last + 7) + 1, step)
    return ",".join(sorted({_DAYS[(day - 1) % 7] for day in days}, key=_DAYS.index))


def _end(first: int) -> int:
    """The last day of the week that begins with Sunday as 0, or ends with it as 7."""
    return 7 if first else 6


def _months_of(part: str) -> str:
    match = _PART.fullmatch(part.strip())
    if match is None:
        return part
    ends = [_number(word, _MONTHS) for word in match.group(1, 2) if word]
    if None in ends:
        return part
    return "-".join(map(str, ends)) + (f"/{match[3]}" if match[3] else "")


def _number(word: str, names: Sequence[str]) -> int | None:
    """A number as it is, a name as its place counted from 1."""
    if word.isdecimal():
        return int(word)
    return names.index(word.lower()) + 1 if word.lower() in names else None
