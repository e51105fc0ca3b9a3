"""When calls arrive: intended times along stages of constant and ramping rates, as pure generators.

Both patterns walk the exact integral of the rate, L(t). Evenly spaced arrivals lie where L reaches 0, 1, 2,
...; a Poisson process has exponential steps of mean 1 in L. Rates that change along a ramp need no
approximation that way, and stages join without a gap or a surplus arrival between them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from harness.scenario.model import Stage

_SLACK: Final = 1e-9
"""What rounding may add to an integral: less than this fraction of an arrival is no arrival."""


class Arrival(NamedTuple):
    """One intended call, in seconds from the workload's start."""

    at: float
    measured: bool


@dataclass(frozen=True)
class _Segment:
    """One stage, with the time and the number of arrivals before it."""

    begin: float
    before: float
    stage: Stage

    @property
    def arrivals(self) -> float:
        return self.stage.length * (self.stage.rate.start + self.stage.rate.end) / 2

    def time_of(self, level: float) -> float:
        """When the integral reaches `level`, which lies inside this segment."""
        rate, length = self.stage.rate, self.stage.length
        inside = level - self.before
        # The root of start*t + (end-start)/(2*length)*t^2 = inside, in the form that survives end == start.
        under = max(rate.start**2 + 2 * (rate.end - rate.start) / length * inside, 0.0)
        below = rate.start + math.sqrt(under)
        return self.begin + (min(2 * inside / below, length) if below > 0 else 0.0)


def expected(stages: Sequence[Stage]) -> float:
    """The exact integral of the rate over all `stages`: how many arrivals there are (on average, for Poisson).

    Example:
        >>> from harness.scenario.values import Rate
        >>> expected([Stage.model_validate({"for": 10.0, "rate": Rate(0.0, 20.0)})])
        100.0
    """
    return sum(stage.length * (stage.rate.start + stage.rate.end) / 2 for stage in stages)


def constant(stages: Sequence[Stage]) -> Iterator[Arrival]:
    """Evenly spaced arrivals, the first at the very start.

    Example:
        >>> from harness.scenario.values import Rate
        >>> [arrival.at for arrival in constant([Stage.model_validate({"for": 1.0, "rate": Rate(4.0, 4.0)})])]
        [0.0, 0.25, 0.5, 0.75]
    """
    return _along(stages, (float(n) for n in itertools.count()))


def poisson(stages: Sequence[Stage], rng: random.Random) -> Iterator[Arrival]:
    """Arrivals that know nothing of each other, at the stages' rates on average."""
    return _along(stages, itertools.accumulate(rng.expovariate(1.0) for _ in itertools.count()))


def _along(stages: Sequence[Stage], levels: Iterable[float]) -> Iterator[Arrival]:
    segments = _segments(stages)
    segment = next(segments, None)
    for level in levels:
        while segment is not None and level >= segment.before + segment.arrivals - _SLACK:
            segment = next(segments, None)
        if segment is None:
            return
        yield Arrival(segment.time_of(max(level, segment.before)), segment.stage.measure)


def _segments(stages: Sequence[Stage]) -> Iterator[_Segment]:
    begin = before = 0.0
    for stage in stages:
        segment = _Segment(begin, before, stage)
        yield segment
        begin, before = begin + stage.length, before + segment.arrivals
