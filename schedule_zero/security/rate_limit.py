"""How many requests one client may send: a bucket of tokens each, filled at a steady rate."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["RateLimit"]


class RateLimit:
    """``rate`` requests a second for each client, ``burst`` at once; a rate of 0 limits nothing.

    Remembers the ``most`` clients that came last; who is forgotten starts with a full bucket.

    >>> limit = RateLimit(2.0, 1, clock=lambda: 100.0)
    >>> limit.take("me"), limit.take("me"), limit.take("you")
    (0.0, 0.5, 0.0)
    """

    def __init__(
        self, rate: float, burst: int, *, most: int = 10_000, clock: Callable[[], float] | None = None
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one request of a client; 0, or the seconds after which the next one would be taken."""
        if self._rate <= 0:
            return 0.0
        now = time.monotonic() if self._clock is None else self._clock()
        level, since = self._buckets.pop(client, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        wait = 0.0 if level >= 1.0 else (1.0 - level) / self._rate
        self._buckets[client] = (level - 1.0 if wait == 0.0 else level, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
