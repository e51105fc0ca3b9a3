"""The numbers behind one metric, with what each of them was.

>>> series = Series("steady.errors", denominator=200, numerator=1)
>>> series.stat("ratio"), series.stat("p99"), series.samples
(0.005, None, 200)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from harness.history.records import AnyRecord
from harness.history.statistics import Percentiles, Summary, is_percentile

NEVER = math.inf
"""The duration of what was awaited and never came: longer than any bound."""


def took(begin: float, end: float) -> float:
    """Seconds between two scenario times, to the microsecond as these are."""
    return round(end - begin, 6)


class Point(NamedTuple):
    """One value of a series: seconds it took, from when to when (scenario time), and its record."""

    value: float
    begin: float
    end: float
    record: AnyRecord


@dataclass(frozen=True)
class Series:
    """Durations (``points``), or a share (``numerator`` of ``denominator``), or a ``rate`` a second.

    Of a share, ``points`` are the ones that make the numerator, so that they can be shown.
    """

    name: str
    points: tuple[Point, ...] = ()
    numerator: int | None = None
    denominator: int = 0
    rate: float | None = None

    @property
    def is_share(self) -> bool:
        """Whether this is a share of one."""
        return self.numerator is not None

    @property
    def samples(self) -> int:
        """How many things were looked at."""
        return self.denominator if self.is_share else len(self.points)

    @property
    def stats(self) -> str:
        """What can be asked of it, in words for a message."""
        if self.is_share:
            return "ratio, count"
        return "count, rate" if self.rate is not None else "p50 to p99.9, min, max, mean, count"

    @cached_property
    def percentiles(self) -> Percentiles:
        """The durations as a histogram."""
        return Percentiles(point.value for point in self.points)

    @property
    def summary(self) -> Summary:
        """The durations at a glance."""
        return self.percentiles.summary()

    def stat(self, name: str) -> float | None:
        """The number of that name (see `stats`); None where there is none."""
        if name == "count":
            return float(self.samples if self.numerator is None else self.numerator)
        if name in ("ratio", "value") and self.numerator is not None:
            return self.numerator / self.denominator if self.denominator else None
        if name in ("rate", "value") and self.rate is not None:
            return self.rate
        return None if self.is_share or self.rate is not None else self._duration(name)

    def _duration(self, name: str) -> float | None:
        if not self.points:
            return None
        if is_percentile(name):
            return self.percentiles.percentile(name)
        exact = {"min": self.percentiles.min, "max": self.percentiles.max, "mean": self.percentiles.mean}
        return exact.get(name)
