"""The clock of one simulated process: how its time differs from the world's."""

from __future__ import annotations

from collections.abc import Callable

MILLION = 1_000_000
MONOTONIC_START = 1_000 * MILLION
"""Every process's monotonic clock shows 1000.0 s when the world starts."""


class Clock:
    """World time as one process sees it; all times inside are whole microseconds.

    >>> clock = Clock(epoch=0, now=lambda: 0)
    >>> clock.drift = 100_000  # runs 10 % fast
    >>> clock.monotonic(2_000_000)
    1002.2

    :param epoch: wall time at the start of the world, microseconds since 1970.
    :param now: gives the world's time.
    """

    __slots__ = ("_ahead", "_drift", "_local", "_now", "_true", "epoch", "offset")

    def __init__(self, epoch: int, now: Callable[[], int]) -> None:
        self.epoch = epoch
        self.offset = 0
        """Microseconds by which the wall clock is ahead; may jump both ways. The monotonic clock never heeds it."""
        self._drift = 0
        self._true = 0
        self._local = 0
        self._ahead = MONOTONIC_START
        """What the monotonic clock shows beyond the world's time as long as there is no drift: the usual case."""
        self._now = now

    @property
    def drift(self) -> int:
        """Parts per million by which this clock runs fast; above -1,000,000. What it has counted so far stays."""
        return self._drift

    @drift.setter
    def drift(self, ppm: int) -> None:
        """Let the clock run fast by `ppm` from now on.

        :raises ValueError: that would stop the clock or turn it back.
        """
        if ppm <= -MILLION:
            raise ValueError(f"a drift of {ppm} ppm would stop the clock or turn it back; give more than -1000000")
        now = self._now()
        self._local = self.elapsed(now)
        self._true = now
        self._ahead = MONOTONIC_START + self._local - now
        self._drift = ppm

    def elapsed(self, now: int) -> int:
        """Microseconds this clock has counted when the world has reached `now`."""
        passed = now - self._true
        if self._drift:
            passed += passed * self._drift // MILLION
        return self._local + passed

    def monotonic(self, now: int) -> float:
        """Seconds, as `time.monotonic` gives them to this process."""
        if self._drift:
            return (MONOTONIC_START + self.elapsed(now)) / MILLION
        return (now + self._ahead) / MILLION

    def monotonic_us(self, now: int) -> int:
        """The same in whole microseconds, exactly."""
        return MONOTONIC_START + self.elapsed(now)

    def wall(self, now: int) -> int:
        """Microseconds since 1970, as this process sees them."""
        return self.epoch + self.offset + self.elapsed(now)

    def true(self, duration: int) -> int:
        """World microseconds after which this clock has counted at least `duration` microseconds."""
        drift = self._drift
        if not drift or duration <= 0:
            return duration
        # Rounded up; elapsed() rounds down, and floors add up to at least the floor of the sum.
        return -(-duration * MILLION // (MILLION + drift))
