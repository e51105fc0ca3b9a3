"""Wall clocks against instants: which moments a local time names, where clocks are put forward or back."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = 1_000_000
"""Microseconds: every instant here is an integer of them since 1970-01-01T00:00Z."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instants(NamedTuple):
    """The moments that show one local time: none in a gap, two in a fold, else one.

    ``shifted`` is set in a gap only: the moment that shows the time as many minutes later as the clocks jumped.
    """

    shown: tuple[int, ...]
    shifted: int | None = None


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment.astimezone(UTC) - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The datetime in UTC of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=at)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone of that name; raises `ValueError` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}, expected such as Europe/Berlin or UTC") from error


def wall(day: date, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """What a wall clock shows then: a time without a zone."""
    return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - that is what it is


def local(at: int, where: ZoneInfo) -> datetime:
    """What a wall clock shows at this instant, without its zone."""
    return moment(at).astimezone(where).replace(tzinfo=None)


def instants(shown: datetime, where: ZoneInfo) -> Instants:
    """Which instants make a wall clock in `where` show the naive time `shown`.

    >>> berlin = zone("Europe/Berlin")
    >>> [len(instants(datetime(2026, 3, 29, hour, 30), berlin).shown) for hour in (1, 2, 3)]
    [1, 0, 1]
    >>> len(instants(datetime(2026, 10, 25, 2, 30), berlin).shown)
    2
    """
    both = [micros(shown.replace(tzinfo=where, fold=fold)) for fold in (0, 1)]
    real = sorted({at for at in both if local(at, where) == shown.replace(fold=0)})
    return Instants(tuple(real), None if real else both[0])


def last_change(at: int, where: ZoneInfo) -> int:
    """The instant at which the clocks were changed that show this one; a day before it if they were not since then.

    >>> moment(last_change(micros(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)), zone("Europe/Berlin"))).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    day = range(at - 86_400 * SECOND, at + 1, SECOND)
    now = moment(at).astimezone(where).utcoffset()
    return day[bisect_left(day, True, key=lambda then: moment(then).astimezone(where).utcoffset() == now)]


@lru_cache(maxsize=4096)
def offset_of_day(day: date, where: ZoneInfo) -> int | None:
    """Microseconds by which local time is ahead of UTC all through this day; None when the clocks are changed in it."""
    midnight = wall(day)
    ends = (midnight, midnight + timedelta(hours=12), midnight + timedelta(days=1))
    # A day has no more than one change in practice, and noon would show the two of a single-day experiment.
    offsets = {(end.replace(tzinfo=where, fold=fold).utcoffset() or timedelta()) for end in ends for fold in (0, 1)}
    return offsets.pop() // _MICROSECOND if len(offsets) == 1 else None
