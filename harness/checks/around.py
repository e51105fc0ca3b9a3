"""Which faults were at work when something happened, in words."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from harness.checks.evidence import moment
from harness.history.history import History
from harness.history.records import Event, Execution, Fault, FaultEvent, Job

MENTIONED = 3
"""Faults that one sentence names at most."""


class Span(NamedTuple):
    """One fault at one place, from injection to heal; ``end`` is infinite if it was never healed."""

    begin: float
    end: float
    id: str
    kind: str
    place: str

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        until = f"to {moment(self.end)}" if math.isfinite(self.end) else "and never healed"
        return f"{self.id} ({self.kind}{place}) from {moment(self.begin)} {until}"


class Surroundings:
    """The faults of one history, and what the harness itself failed to see."""

    def __init__(self, history: History) -> None:
        self.spans = _spans(history)
        handlers = {job.handler for job in history.of(Job)} | {run.handler for run in history.of(Execution)}
        self._handlers = frozenset(handlers - {""})
        self._problems = tuple(event for event in history.of(Event) if event.name == "teardown-problem")

    def during(self, begin: float, end: float, places: Collection[str] = ()) -> str:
        """Which faults overlapped ``begin..end``, to end a sentence; those at `places` come first.

        A fault at a handler that is none of `places` explains nothing about them, and is left out.
        """
        found = [span for span in self.spans if span.begin <= end and span.end >= begin]
        found = [span for span in found if not (places and self._elsewhere(span, places))]
        if not found:
            return ""
        found.sort(key=lambda span: (not _touches(span, places), abs(span.begin - begin), span))
        more = f" and {len(found) - MENTIONED} more" if len(found) > MENTIONED else ""
        return "; meanwhile: " + ", ".join(map(str, found[:MENTIONED])) + more

    def struck(self, begin: float, end: float, places: Collection[str]) -> bool:
        """Whether a fault at one of `places`, or at a part of it, overlapped ``begin..end``."""
        return any(span.begin <= end and span.end >= begin and _touches(span, places) for span in self.spans)

    def _elsewhere(self, span: Span, places: Collection[str]) -> bool:
        return span.place in self._handlers and not _touches(span, places)

    def unseen(self, *steps: str) -> str:
        """Why one of these steps of the teardown brought nothing to see; empty if all of them went well."""
        for event in self._problems:
            if event.place in steps:
                return f"the harness failed to {event.place}: {event.detail.get('error', 'no reason recorded')}"
        return ""


def _touches(span: Span, places: Collection[str]) -> bool:
    # Whole names: h1 is not h10. A place may name two, as in "h2 -> scheduler", or a part, as in "scheduler.req".
    named = {span.place, span.place.partition(".")[0], *span.place.split()}
    return any(place in named for place in places if place)


def _spans(history: History) -> tuple[Span, ...]:
    spans: list[Span] = []
    active: dict[tuple[str, str], Fault] = {}
    ended: dict[tuple[str, str], float] = {}
    # At one instant a heal comes before an injection: a fault that strikes again at once was healed in between.
    # A heal of what was not on belongs to an injection of the same instant: a strike that took no time.
    order = {FaultEvent.HEALED: 0, FaultEvent.INJECTED: 1}
    faults = (fault for fault in history.of(Fault) if fault.event in order)
    for fault in sorted(faults, key=lambda fault: (fault.at, order[fault.event], fault.id, fault.place)):
        key = (fault.id, fault.place)
        if begun := active.pop(key, None):
            spans.append(Span(begun.at, fault.at, fault.id, begun.kind, fault.place))
        elif fault.event is FaultEvent.HEALED:
            ended[key] = fault.at
        if fault.event is not FaultEvent.INJECTED:
            continue
        if ended.pop(key, None) == fault.at:
            spans.append(Span(fault.at, fault.at, fault.id, fault.kind, fault.place))
        else:
            active[key] = fault
    spans += [Span(begun.at, math.inf, begun.id, begun.kind, begun.place) for begun in active.values()]
    return tuple(sorted(spans))
