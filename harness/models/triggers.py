"""The times that a trigger names, from a description of it in plain data.

>>> every = parse({"kind": "interval", "every": 2_000_000, "start": 5_000_000})
>>> [fire.at for fire in every.fires(9_000_000)]
[5000000, 7000000, 9000000]
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from harness.models import cron_fields, zones
from harness.models.zones import SECOND


class Fire(NamedTuple):
    """One time at which a trigger fires, in µs since 1970.

    It is not ``sure`` when it names a local time that the clocks skip: whether that is left out or made up for a
    little later APScheduler promises nowhere (who does promise it: see `Cron`).
    """

    at: int
    sure: bool = True


class Trigger(Protocol):
    """Something with times, each later than the one before."""

    def fires(self, until: int) -> Iterator[Fire]:
        """All times up to and including `until`, in µs since 1970."""


@dataclass(frozen=True)
class Date:
    """Once, at one instant."""

    at: int

    def fires(self, until: int) -> Iterator[Fire]:
        """That instant, unless it lies after `until`."""
        if self.at <= until:
            yield Fire(self.at)


@dataclass(frozen=True)
class Interval:
    """At `start`, then every `every` µs of elapsed time, whatever the clocks of any zone do; never after `end`."""

    every: int
    start: int
    end: int | None = None

    def fires(self, until: int) -> Iterator[Fire]:
        """The multiples of the interval after the start."""
        last = until if self.end is None else min(until, self.end)
        yield from (Fire(at) for at in range(self.start, last + 1, self.every))


@dataclass(frozen=True)
class Cron:
    """Whenever the wall clock in `zone` shows a time that all fields allow: twice where an hour is repeated.

    With `makes_up` a time that clocks skip is owed: as much later as they jump, unless another comes by then.
    """

    fields: cron_fields.Fields
    zone: ZoneInfo
    start: int
    end: int | None = None
    makes_up: bool = False

    def fires(self, until: int) -> Iterator[Fire]:
        """All times; with `makes_up` every one of them is sure."""
        return self._made_up(self._named(until)) if self.makes_up else self._named(until)

    def _made_up(self, named: Iterator[Fire]) -> Iterator[Fire]:
        before = None
        for fire in named:
            if fire.sure:
                yield fire
            else:
                shift = zones.last_change(fire.at, self.zone)
                if self.start < shift and (before is None or before < shift):
                    yield Fire(fire.at)
            before = fire.at

    def _named(self, until: int) -> Iterator[Fire]:
        # Day by day, since the order of local times is not that of instants where clocks are put back.
        last = until if self.end is None else min(until, self.end)
        day, last_day = (zones.local(at, self.zone).date() for at in (self.start, max(last, self.start)))
        while day <= last_day and day.year <= self.fields.last_year:
            if self.fields.day(day):
                yield from (fire for fire in self._of_day(day) if self.start <= fire.at <= last)
            day += timedelta(days=1)

    def _of_day(self, day: date) -> Iterator[Fire]:
        times = product(self.fields.hours, self.fields.minutes, self.fields.seconds)
        if (ahead := zones.offset_of_day(day, self.zone)) is not None:
            midnight = (day.toordinal() - _EPOCH_DAY) * 86_400 * SECOND - ahead
            yield from (Fire(midnight + ((h * 60 + m) * 60 + s) * SECOND) for h, m, s in times)
            return
        found: dict[int, bool] = {}
        for hour, minute, second in times:
            shown = zones.instants(zones.wall(day, hour, minute, second), self.zone)
            found.update(dict.fromkeys(shown.shown, True))
            if shown.shifted is not None:
                found.setdefault(shown.shifted, False)
        yield from (Fire(at, sure) for at, sure in sorted(found.items()))


@dataclass(frozen=True)
class Calendar:
    """At one time of day, every so many years, months, weeks and days from `start` on.

    Months are added until the day exists in the month; then weeks and days. A day on which the clocks skip the time
    is left out; where it is shown twice the first counts.
    """

    years: int
    months: int
    days: int
    time: tuple[int, int, int]
    zone: ZoneInfo
    start: date
    end: date | None = None

    def fires(self, until: int) -> Iterator[Fire]:
        """The time of day on each of those days."""
        day: date | None = self.start
        while day is not None and (self.end is None or day <= self.end):
            shown = zones.instants(zones.wall(day, *self.time), self.zone)
            first = shown.shown[0] if shown.shown else shown.shifted
            if first is None or first > until:
                return
            if shown.shown:
                yield Fire(first)
            day = self._following(day)

    def _following(self, day: date) -> date | None:
        months = day.year * 12 + day.month - 1
        while True:
            months += self.years * 12 + self.months
            if months // 12 > date.max.year:
                return None
            try:
                reached = date(months // 12, months % 12 + 1, day.day)
            except ValueError:
                continue
            return reached + timedelta(days=self.days)


@dataclass(frozen=True)
class Either:
    """At every time of any of the triggers, once where several name it."""

    of: tuple[Trigger, ...]

    def fires(self, until: int) -> Iterator[Fire]:
        """The times of all, merged."""
        held: Fire | None = None
        for fire in heapq.merge(*(trigger.fires(until) for trigger in self.of)):
            if held is not None and held.at != fire.at:
                yield held
                held = None
            held = Fire(fire.at, fire.sure or (held is not None and held.sure))
        if held is not None:
            yield held


@dataclass(frozen=True)
class Both:
    """At the earliest of the triggers' next times, when none of them is more than `threshold` µs after it.

    Otherwise the triggers that named the earliest go on to their next time, as APScheduler documents.
    """

    of: tuple[Trigger, ...]
    threshold: int = SECOND

    def fires(self, until: int) -> Iterator[Fire]:
        """The times on which all agree."""
        streams = [trigger.fires(until + self.threshold) for trigger in self.of]
        heads = [next(stream, None) for stream in streams]
        while True:
            named = [head for head in heads if head is not None]
            if not named or len(named) < len(heads):
                return
            earliest = min(head.at for head in named)
            if earliest > until:
                return
            agreed = max(head.at for head in named) - earliest <= self.threshold
            if agreed:
                yield Fire(earliest, all(head.sure for head in named))
            heads = [
                next(stream, None) if agreed or head.at == earliest else head
                for stream, head in zip(streams, named, strict=True)
            ]


_EPOCH_DAY = date(1970, 1, 1).toordinal()


def _date(data: Mapping[str, Any]) -> Trigger:
    return Date(int(data["at"]))


def _interval(data: Mapping[str, Any]) -> Trigger:
    if int(data["every"]) <= 0:
        raise ValueError(f"an interval lasts longer than 0 µs, found {data['every']}")
    return Interval(int(data["every"]), int(data["start"]), data.get("end"))


def _cron(data: Mapping[str, Any]) -> Trigger:
    where = zones.zone(data.get("zone", "UTC"))
    fields, makes_up = cron_fields.parse(data["fields"]), bool(data.get("makes_up", False))
    return Cron(fields, where, int(data["start"]), data.get("end"), makes_up)


def _calendar(data: Mapping[str, Any]) -> Trigger:
    years, months = int(data.get("years", 0)), int(data.get("months", 0))
    days = int(data.get("weeks", 0)) * 7 + int(data.get("days", 0))
    if min(years, months, days) < 0 or years + months + days == 0:
        raise ValueError("a calendar interval lasts a day at least")
    hour, minute, second = data["time"]
    end = date.fromisoformat(data["end_date"]) if data.get("end_date") else None
    where = zones.zone(data.get("zone", "UTC"))
    return Calendar(years, months, days, (hour, minute, second), where, date.fromisoformat(data["start_date"]), end)


def _or(data: Mapping[str, Any]) -> Trigger:
    return Either(tuple(parse(part) for part in data["of"]))


def _and(data: Mapping[str, Any]) -> Trigger:
    return Both(tuple(parse(part) for part in data["of"]), int(data.get("threshold", SECOND)))


_PARSERS: Mapping[str, Callable[[Mapping[str, Any]], Trigger]] = {
    "date": _date,
    "interval": _interval,
    "cron": _cron,
    "calendar": _calendar,
    "or": _or,
    "and": _and,
}


def parse(data: Mapping[str, Any]) -> Trigger:
    """The trigger that plain data describe; raises `ValueError` for data that describe none.

    ``kind`` is one of ``date`` (at), ``interval`` (every, start, end), ``cron`` (fields, zone, start, end,
    makes_up), ``calendar`` (years, months, weeks, days, time, zone, start_date, end_date), ``or`` (of), ``and`` (of,
    threshold); instants and lengths are µs.
    """
    parser = _PARSERS.get(str(data.get("kind")))
    if parser is None:
        raise ValueError(f"unknown kind of trigger {data.get('kind')!r}, expected one of {', '.join(_PARSERS)}")
    try:
        return parser(data)
    except KeyError as error:
        raise ValueError(f"a {data['kind']} trigger needs {error}") from error
