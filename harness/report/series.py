"""What is drawn over time: calls by bucket, with their counts and exact latency percentiles."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.history.records import Drop, Operation, Status

if TYPE_CHECKING:
    from harness.history.history import History

_WIDTHS = (
    0.05,
    0.1,
    0.2,
    0.25,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
)


_PER_BUCKET = 4
"""Arrivals that a bucket should hold at least."""
_SLACK = 0.05
"""Share by which gaps between arrivals may be longer than planned: clocks are not perfect."""


@dataclass
class Bucket:
    """The calls of one stretch of time. ``latencies`` are seconds from the intended start to a good answer."""

    begin: float
    width: float
    offered: int = 0
    ok: int = 0
    fail: int = 0
    info: int = 0
    dropped: int = 0
    latencies: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float | None:
        """The exact nearest-rank percentile, None without a good answer."""
        return nearest_rank(self.latencies, share)


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; `ordered` ascends.

    >>> nearest_rank([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def bucket_width(span: float, about: int = 150) -> float:
    """A width in seconds a person would choose that cuts `span` into at most `about` buckets."""
    return next((w for w in _WIDTHS if span / w <= about), math.ceil(span / about / 3600) * 3600.0)


def fitting_width(history: History, span: float, about: int = 150) -> float:
    """`bucket_width`, or more where arrivals are so rare that buckets of it would hold one call or none.

    A steady load must look steady: with fewer than `_PER_BUCKET` arrivals a bucket it looks like a comb. At most a
    quarter of `span`, so that something is left to be seen over time.
    """
    least = bucket_width(span, about)
    moments = sorted([o.intended for o in history.of(Operation)] + [d.intended for d in history.of(Drop)])
    gaps = sorted(late - early for early, late in itertools.pairwise(moments))
    # Not the median: in a load of two speeds the slow stretches have few of the gaps and most of the time.
    wanted = _PER_BUCKET * (nearest_rank(gaps, 0.75) or 0.0)
    wider = [w for w in _WIDTHS if least < w <= span / 4]
    return next((w for w in (least, *wider) if w >= wanted * (1 - _SLACK)), wider[-1] if wider else least)


def buckets(history: History, begin: float, end: float, *, about: int = 150) -> tuple[Bucket, ...]:
    """The run cut into buckets. An arrival counts where it was intended, an answer where it came."""
    width = fitting_width(history, end - begin, about)
    first = _number(begin, width)
    found = [Bucket(n * width, width) for n in range(first, _number(end, width) + 1)]

    def at(moment: float) -> Bucket:
        return found[min(len(found) - 1, max(0, _number(moment, width) - first))]

    for operation in history.of(Operation):
        at(operation.intended).offered += 1
        bucket = at(operation.end)
        if operation.status is Status.OK:
            bucket.ok += 1
            # Shown where the call was meant to begin: a stall then stands under the fault that caused it.
            at(operation.intended).latencies.append(operation.end - operation.intended)
        elif operation.status is Status.FAIL:
            bucket.fail += 1
        else:
            bucket.info += 1
    for drop in history.of(Drop):
        at(drop.intended).offered += 1
        at(drop.intended).dropped += 1
    for bucket in found:
        bucket.latencies.sort()
    return tuple(found)


def _number(moment: float, width: float) -> int:
    """Which bucket holds `moment`; one that lies on a border, but for its last digits, is that of the later one."""
    return math.floor(moment / width + 1e-6)


@dataclass(frozen=True)
class Tally:
    """How the calls of one workload, or of all, ended."""

    ok: int
    fail: int
    info: int
    dropped: int

    @property
    def calls(self) -> int:
        """The calls that were sent."""
        return self.ok + self.fail + self.info

    @property
    def offered(self) -> int:
        """The calls that were sent or would have been."""
        return self.calls + self.dropped


def tally(history: History, workload: str | None = None) -> Tally:
    """Count the calls of `workload`, or of all of them."""
    ends = [o.status for o in history.of(Operation) if workload in (None, o.workload)]
    dropped = sum(1 for d in history.of(Drop) if workload in (None, d.workload))
    return Tally(ends.count(Status.OK), ends.count(Status.FAIL), ends.count(Status.INFO), dropped)


def workloads(history: History) -> tuple[str, ...]:
    """The workloads that did anything, in the order they first did."""
    seen = [(o.intended, o.workload) for o in history.of(Operation)]
    seen += [(d.intended, d.workload) for d in history.of(Drop)]
    return tuple(dict.fromkeys(workload for _, workload in sorted(seen, key=lambda s: s[0])))
