"""Percentiles of durations, and what happened per stretch of time.

>>> percentiles = Percentiles(seconds / 1000 for seconds in range(1, 101))
>>> percentiles.percentile("p50"), percentiles.max
(0.050015, 0.1)
"""

from __future__ import annotations

import math
import re
from bisect import insort
from collections.abc import Iterable

import msgspec
from hdrh.histogram import HdrHistogram

from harness.errors import UsageError

HIGHEST = 3600.0
"""Seconds up to which the histogram holds durations; longer ones are kept one by one."""
DIGITS = 3
"""Significant digits: a percentile is at most 0.1 % above the sorted list's, and never below it."""

_MICROSECONDS = 1_000_000
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds at a glance; all zero when ``count`` is 0."""

    count: int
    min: float = 0.0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


class Percentiles:
    """Durations in seconds to the microsecond and three digits; memory does not grow with their number.

    What the histogram has no place for (longer than an hour, infinite, or negative as with work that began
    early) is kept exactly and counts like any other. ``min``, ``max`` and ``mean`` are exact. A percentile is
    the nearest-rank one: the smallest value that at least so many per cent of the values do not exceed.
    """

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._histogram = HdrHistogram(1, int(HIGHEST * _MICROSECONDS), DIGITS)
        self._below: list[float] = []
        self._above: list[float] = []
        self._sum = 0.0
        self.count = 0
        self.min = math.inf
        self.max = -math.inf
        for value in seconds:
            self.add(value)

    def add(self, seconds: float) -> None:
        """Count one duration. Raises ValueError for NaN."""
        if seconds != seconds:
            raise ValueError("a duration cannot be NaN")
        if seconds < 0:
            insort(self._below, seconds)
        elif seconds > HIGHEST:
            insort(self._above, seconds)
        else:
            self._histogram.record_value(round(seconds * _MICROSECONDS))
        self._sum += seconds
        self.count += 1
        self.min = min(self.min, seconds)
        self.max = max(self.max, seconds)

    @property
    def outside(self) -> int:
        """How many durations lie outside the histogram's range."""
        return len(self._below) + len(self._above)

    @property
    def mean(self) -> float:
        """The arithmetic mean in seconds; 0 without values."""
        return self._sum / self.count if self.count else 0.0

    def percentile(self, name: str) -> float | None:
        """The percentile of that name (``p50``, ``p99.9``) in seconds; None without values."""
        return self.percentiles(name)[0]

    def percentiles(self, *names: str) -> list[float | None]:
        """Several percentiles in one pass. Raises `UsageError` for what is not a percentile."""
        ranks = [max(1, math.ceil(share * self.count - 1e-9)) for share in map(share_of, names)]
        if not self.count:
            return [None] * len(names)
        inside = self._histogram.total_count
        places = [rank - len(self._below) for rank in ranks]
        # Asked for by rank: the library rounds ranks to the nearest, which is too lenient by one.
        wanted = {place: (place - 0.25) * 100 / inside for place in places if 0 < place <= inside}
        found = self._histogram.get_percentile_to_value_dict(list(wanted.values())) if wanted else {}
        return [self._at(place, inside, found.get(wanted.get(place))) for place in places]

    def _at(self, place: int, inside: int, microseconds: int | None) -> float:
        """The value at `place`, counted from the first one inside the histogram's range."""
        if place <= 0:
            return self._below[place - 1 + len(self._below)]
        if microseconds is None:
            return self._above[place - inside - 1]
        return max(self.min, min(self.max, microseconds / _MICROSECONDS))

    def summary(self) -> Summary:
        """Count, bounds, mean and the usual percentiles."""
        if not self.count:
            return Summary(count=0)
        p50, p90, p99, p999 = (value or 0.0 for value in self.percentiles("p50", "p90", "p99", "p99.9"))
        return Summary(
            count=self.count, min=self.min, mean=self.mean, p50=p50, p90=p90, p99=p99, p999=p999, max=self.max
        )


def is_percentile(name: str) -> bool:
    """Whether `name` reads as a percentile above 0 and up to 100.

    >>> is_percentile("p99.9"), is_percentile("p0"), is_percentile("mean")
    (True, False, False)
    """
    match = _PERCENTILE.fullmatch(name)
    return match is not None and 0 < float(match[1]) <= 100


def share_of(name: str) -> float:
    """``p99.9`` as a share of one; raises `UsageError` for anything else.

    >>> share_of("p50")
    0.5
    """
    if not is_percentile(name):
        raise UsageError(f"expected a percentile such as p50 or p99.9, found {name!r}")
    return float(name[1:]) / 100


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """What fell into one stretch of time of `width` seconds; ``min`` and ``max`` are None where nothing did."""

    begin: float
    width: float
    count: int = 0
    min: float | None = None
    max: float | None = None

    @property
    def rate(self) -> float:
        """Values a second."""
        return self.count / self.width


def bucketed(values: Iterable[tuple[float, float]], width: float) -> tuple[Bucket, ...]:
    """Cut ``(at, value)`` pairs into stretches of `width` seconds, from first to last, the empty ones included.

    >>> [(b.begin, b.count, b.max) for b in bucketed([(0.2, 5.0), (0.4, 7.0), (2.1, 6.0)], 1.0)]
    [(0.0, 2, 7.0), (1.0, 0, None), (2.0, 1, 6.0)]
    """
    if not width > 0:
        raise UsageError(f"expected a width of buckets above 0 s, found {width:g} s")
    grouped: dict[int, list[float]] = {}
    for at, value in values:
        grouped.setdefault(math.floor(at / width), []).append(value)
    if not grouped:
        return ()
    found = []
    for number in range(min(grouped), max(grouped) + 1):
        inside = grouped.get(number, [])
        low, high = (min(inside), max(inside)) if inside else (None, None)
        found.append(Bucket(begin=number * width, width=width, count=len(inside), min=low, max=high))
    return tuple(found)
