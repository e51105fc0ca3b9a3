"""Whether a fault that was injected met anything: what is on where nobody comes by has struck nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

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
        self._used: dict[str, float] = {}
        for event in case.history.of(Event):
            if event.name == "fault-struck":
                self._used.setdefault(str(event.detail.get("fault", "")), event.at)

    def end(self, injection: Fault) -> float:
        """When what was injected was healed; infinite if it never was."""
        return self._ends.get((injection.id, injection.place, injection.at), injection.at)

    def first(self, injection: Fault) -> float | None:
        """When one injection first struck, in scenario seconds; None if it did not, or if nobody can tell."""
        match injection.detail.get("met_by", ""):
            case MetBy.CALLS:
                starts = self._calls.get(injection.place, [])
                index = bisect_left(starts, injection.at)
                return starts[index] if index < len(starts) and starts[index] <= self.end(injection) else None
            case MetBy.USE:
                return self._used.get(f"{injection.id}@{injection.place}")
            case MetBy.UNTOLD:
                return None
        return injection.at

    def untold(self, fault_id: str) -> bool:
        """Whether nobody can tell what one of the injections of a fault met."""
        return any(injection.detail.get("met_by") == MetBy.UNTOLD for injection in self.injected[fault_id])
