"""How far the load generator itself is behind its plan: the measurement's own error, watched."""

from __future__ import annotations

import math
from typing import Final

from harness.history.recorder import Recorder

LIMIT: Final = 0.05
"""Seconds: when more than 1 % of the calls started later than this, latencies tell of the machine too."""

OVERDUE: Final = 1.0
"""Seconds: a call that started later than this was not part of the load that the file asks for. A machine that others
use too holds a generator up for parts of it; one that cannot keep up is soon later than that, and stays so."""

_BIN: Final = 1e-4
_BINS: Final = 100_000
_INTERVAL: Final = 1.0


class LagMeter:
    """Counts by how much each call started after its intended time.

    Records a sample ``generator-lag`` (seconds, the worst since the last one) about every second, and at the
    end the event ``generator-behind`` when the 99th percentile lies above `LIMIT`. Below 100 calls one
    straggler is forgiven: it is no percentile. The event also counts the calls later than `OVERDUE`.
    """

    def __init__(self, recorder: Recorder, workload: str) -> None:
        self._recorder = recorder
        self._workload = workload
        self._counts: dict[int, int] = {}
        self._worst = self._worst_lately = 0.0
        self._count = self._late = self._overdue = 0
        self._next = -math.inf

    def note(self, lag: float, now: float) -> None:
        """One call started `lag` seconds late; `now` is any clock in seconds that runs evenly."""
        lag = max(lag, 0.0)
        self._count += 1
        self._late += lag > LIMIT
        self._overdue += lag > OVERDUE
        slot = min(int(lag / _BIN), _BINS)
        self._counts[slot] = self._counts.get(slot, 0) + 1
        self._worst = max(self._worst, lag)
        self._worst_lately = max(self._worst_lately, lag)
        if now >= self._next:
            self._next = now + _INTERVAL
            self._sample()

    def percentile(self, share: float) -> float:
        """The lag in seconds that `share` (0 to 1) of the calls stayed within, to a tenth of a millisecond
        upwards.
        """
        rank = max(math.ceil(share * self._count), 1)
        seen = 0
        for slot in sorted(self._counts):
            seen += self._counts[slot]
            if seen >= rank:
                return min(round((slot + 1) * _BIN, 6), self._worst) if slot < _BINS else self._worst
        return 0.0

    def finish(self) -> None:
        """Record the last sample, and the event if the generator was behind."""
        if not self._count:
            return
        self._sample()
        if self._late > max(1.0, self._count * 0.01):
            detail = {"p99": round(self.percentile(0.99), 6), "worst": round(self._worst, 6), "limit": LIMIT}
            counts = {"late": self._late, "calls": self._count, "overdue": self._overdue, "overdue_after": OVERDUE}
            self._recorder.event("generator-behind", self._workload, **detail, **counts)

    def _sample(self) -> None:
        self._recorder.sample("generator-lag", round(self._worst_lately, 6), self._workload)
        self._worst_lately = 0.0
