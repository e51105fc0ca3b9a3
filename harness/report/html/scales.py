"""From values to coordinates: linear or logarithmic, with ticks a person would choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_TIME_STEPS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
)


@dataclass(frozen=True)
class Linear:
    """A straight line from ``low..high`` onto ``start..stop``; values outside are clamped to the ends."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The coordinate of `value`."""
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.stop - self.start)

    def ticks(self, about: int = 4) -> Sequence[float]:
        """Round values, `about` that many."""
        return nice_ticks(self.low, self.high, about)


@dataclass(frozen=True)
class Log:
    """Decades onto ``start..stop``; what is not above ``low`` lies on the lower end."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The coordinate of `value`."""
        decades = math.log10(self.high / self.low)
        share = math.log10(max(value, self.low) / self.low) / decades if decades > 0 else 0.5
        return self.start + min(1.0, share) * (self.stop - self.start)

    def ticks(self, about: int = 4) -> Sequence[float]:
        """Powers of ten, with 2 and 5 between them where there are few."""
        first, last = math.floor(math.log10(self.low) + 1e-9), math.ceil(math.log10(self.high) - 1e-9)
        within = 1, 2, 5
        steps = (1,) if last - first >= about - 1 else within if last - first <= 1 else (1, 3)
        values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [v for v in values if self.low * 0.999 <= v <= self.high * 1.001]


def log_around(values: Sequence[float], start: float, stop: float, *, floor: float = 1e-5) -> Log:
    """A logarithmic scale that holds all `values` and ends on 1, 2 or 5 times a power of ten."""
    positive = [v for v in values if floor < v < math.inf] or [floor * 10]
    return Log(_round_log(min(positive), up=False), _round_log(max(positive) * 1.001, up=True), start, stop)


def _round_log(value: float, *, up: bool) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    steps = [power, 2 * power, 5 * power, 10 * power]
    fitting = [s for s in steps if (s >= value if up else s <= value * 1.0001)]
    return fitting[0] if up else fitting[-1]


def nice_ticks(low: float, high: float, about: int) -> Sequence[float]:
    """Multiples of 1, 2 or 5 times a power of ten between `low` and `high`.

    >>> nice_ticks(0, 42, 4)
    [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    if high <= low:
        return [low]
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.75)
    return _multiples(low, high, step)


def time_ticks(low: float, high: float, about: int = 6) -> Sequence[float]:
    """Moments a clock would show: seconds, quarter minutes, minutes, hours."""
    if high <= low:
        return [low]
    raw = (high - low) / max(about, 1)
    step = next(
        (s for s in _TIME_STEPS if s >= raw * 0.999), _TIME_STEPS[-1] * math.ceil(raw / _TIME_STEPS[-1])
    )
    return _multiples(low, high, step)


def _multiples(low: float, high: float, step: float) -> Sequence[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 9) for n in range(first, last + 1)]


def tick_label(seconds: float) -> str:
    """A moment on the time axis.

    >>> tick_label(0.5), tick_label(45), tick_label(90), tick_label(3600)
    ('0.5s', '45s', '1:30', '1:00:00')
    """
    sign, seconds = ("−", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 60:
        return f"{sign}{seconds:g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"
