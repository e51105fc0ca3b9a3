"""Whether a fault that was injected met anything: what is on where nobody comes by has struck nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf

from harness.checks.base import Case
from harness.history.records import Event, Execution, Fault, FaultEvent, MetBy


class Strikes:
    """What the faults of one run met, as its history tells it."""

    def __init__(self, case: Case) -> None:
        self.injected: dict[str, list[Fault]] = defaultdict(list)
        """The injections of each fault, by its id."""
        for fault in case.history.of(Fault):
            if fault.event is FaultEvent.INJECTED:
                self.injected[fault.id].append(fault)
        self._ends = {(span.id, span.place, span.begin): span.end for span in case.around.spans}
        self._calls: dict[str, list[float]] = defaultdict(list)
        for run in case.history.of(Execution):
            self._calls[run.handler].append(run.start)
        for starts in self._calls.values():
            starts.sort()
        self._used: dict[str, list[float]] = defaultdict(list)
        for event in case.history.of(Event):
            if event.name == "fault-struck":
                self._used[str(event.detail.get("fault", ""))].append(event.at)
        for uses in self._used.values():
            uses.sort()

    def end(self, injection: Fault) -> float:
        """When what was injected was healed; infinite if it never was."""
        return self._ends[injection.id, injection.place, injection.at]

    def first(self, injection: Fault) -> float | None:
        """When one injection first struck, in scenario seconds; None if it did not, or if nobody can tell."""
        match injection.detail.get("met_by", ""):
            case MetBy.CALLS:
                return _between(self._calls.get(injection.place, []), injection.at, self.end(injection))
            case MetBy.USE:
                # The agent acts from the moment it was told to, and that it was is recorded a little later.
                begin = max(self._earlier_ends(injection), default=-inf)
                uses = self._used.get(f"{injection.id}@{injection.place}", [])
                return _between(uses, begin, self.end(injection))
            case MetBy.UNTOLD:
                return None
        return injection.at

    def _earlier_ends(self, injection: Fault) -> Iterator[float]:
        for (name, place, begin), end in self._ends.items():
            if (name, place) == (injection.id, injection.place) and begin < injection.at:
                yield end

    def untold(self, fault_id: str) -> bool:
        """Whether nobody can tell what one of the injections of a fault met."""
        return any(injection.detail.get("met_by") == MetBy.UNTOLD for injection in self.injected[fault_id])


def _between(moments: Sequence[float], begin: float, end: float) -> float | None:
    """The first of `moments`, which are in order, from `begin` to `end`."""
    index = bisect_left(moments, begin)
    return moments[index] if index < len(moments) and moments[index] <= end else None
