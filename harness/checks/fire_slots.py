"""When a scheduler had no slot free for another job: of one schedule's task, or of all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from harness.checks.base import Case
from harness.history.records import Execution

Run = tuple[float, float]
"""Begin and end of an execution, in scenario seconds."""


class Slots:
    """As many jobs as `limit` may run at once, None: any number; `runs` are those that did."""

    def __init__(self, limit: int | None, runs: Sequence[Run], end: float) -> None:
        self._limit, self._runs, self._end = limit, runs if limit is not None else (), end

    def crowds(self) -> Iterator[tuple[float, int]]:
        """When more ran at once than may, and how many; runs that nobody saw end are left out."""
        if self._limit is None:
            return
        ended = [(start, stop) for start, stop in self._runs if stop < self._end]
        for start, _ in ended:
            count = sum(a <= start < b for a, b in ended)
            if count > self._limit:
                yield start, count

    def taken(self, begin: float, end: float) -> bool:
        """Whether all were taken at some moment from `begin` to `end`, in scenario seconds."""
        if self._limit is None:
            return False
        near = [(start, stop) for start, stop in self._runs if start < end and stop > begin]
        if len(near) < self._limit:
            return False
        return any(sum(a <= start < b for a, b in near) >= self._limit for start, _ in near)


def of_schedule(case: Case, limit: int | None, jobs: AbstractSet[str]) -> Slots:
    """The slots of a schedule's task, whose runs are those of `jobs`. The store counts them, so that a run which nobody
    saw end holds its slot to the end.
    """
    runs = case.history.of(Execution) if limit is not None else ()
    end = case.history.end
    return Slots(limit, [(run.start, _ended(run, end)) for run in runs if run.request_id in jobs], end)


def of_scheduler(case: Case, limit: int | None, downs: Sequence[float]) -> Slots:
    """The slots of the scheduler itself, which are free again after each of `downs`: when it was down, in order."""
    runs = case.history.of(Execution) if limit is not None else ()
    end = case.history.end
    last = [*downs, end]

    def freed(run: Execution) -> float:
        return _ended(run, last[min(bisect_left(last, run.start), len(last) - 1)])

    return Slots(limit, [(run.start, freed(run)) for run in runs], end)


def _ended(run: Execution, otherwise: float) -> float:
    return otherwise if run.end is None else run.end
