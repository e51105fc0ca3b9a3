"""How long something takes: a constant, or drawn from a log-normal that is stated by two of its percentiles."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final, Protocol

from harness.errors import UsageError

_Z99: Final = 2.3263478740408408
"""The 99th percentile of the standard normal distribution."""


class Distribution(Protocol):
    """A source of durations in seconds."""

    def sample(self, rng: random.Random) -> float:
        """One duration in seconds, drawn from `rng`."""


@dataclass(frozen=True)
class Constant:
    """Always the same duration in seconds; draws nothing from the stream."""

    seconds: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise UsageError(f"a duration is zero seconds or more, found {self.seconds!r}")

    def sample(self, rng: random.Random) -> float:
        """The duration."""
        return self.seconds


@dataclass(frozen=True)
class LogNormal:
    """The log-normal distribution whose median is ``p50`` and whose 99th percentile is ``p99`` (both seconds).

    Service times have a long tail and no negative values, which is why the log-normal is the usual model of
    them.
    """

    p50: float
    p99: float

    def __post_init__(self) -> None:
        if not (0 < self.p50 <= self.p99 < math.inf):
            raise UsageError(f"expected 0 < p50 <= p99, found p50={self.p50!r} s and p99={self.p99!r} s")

    def sample(self, rng: random.Random) -> float:
        """One duration in seconds."""
        sigma = math.log(self.p99 / self.p50) / _Z99
        return self.p50 * math.exp(sigma * rng.gauss(0.0, 1.0))


def percentiles(p50: float, p99: float | None = None) -> Distribution:
    """The distribution with these percentiles in seconds; constant when ``p99`` is missing or equal to ``p50``.

    Example:
        >>> percentiles(0.25), percentiles(0.02, 0.2)
        (Constant(seconds=0.25), LogNormal(p50=0.02, p99=0.2))
    """
    return Constant(p50) if p99 is None or p99 == p50 else LogNormal(p50, p99)
