"""What a history tells of each schedule: its trigger, and when its scheduler could look at it.

Read from the events that a target writes about schedules and about its own ups and downs; times are µs since 1970, as
the scheduler's own clock showed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.checks.base import Case
from harness.history.records import Event
from harness.models.fires import Coalesce, Policy
from harness.models.readiness import Gate, State, all_of

SECOND = 1_000_000
STEPPED = SECOND // 20
"""µs by which two readings of the wall clock may disagree before it counts as having been set."""
PLACES = ("scheduler", "store")
"""Where faults may keep schedules from firing."""


@dataclass(frozen=True)
class Clock:
    """Scenario time and the wall clock: ``zero`` is what the latter showed at scenario time 0, in µs since 1970."""

    zero: int

    def wall(self, at: float) -> int:
        """The wall clock at scenario time `at` (seconds)."""
        return self.zero + round(at * SECOND)

    def scenario(self, wall: int) -> float:
        """Scenario seconds of a time of the wall clock."""
        return (wall - self.zero) / SECOND


@dataclass
class Timeline:
    """One schedule from its acceptance on. ``skipped`` are spans whose times were left out when it was resumed."""

    id: str
    trigger: Mapping[str, Any]
    policy: Policy
    max_running: int | None
    exists: Gate = field(default_factory=Gate)
    unpaused: Gate = field(default_factory=Gate)
    skipped: list[tuple[int, int, bool]] = field(default_factory=list)
    paused_at: int | None = None

    def gate(self, up: Gate) -> Gate:
        """When the schedule could be looked at, by a scheduler that was up as `up` says."""
        return all_of((self.exists, self.unpaused, up))


@dataclass(frozen=True)
class Told:
    """Everything that matters of one history. ``kills`` are the moments at which the scheduler was cut off, ``downs``
    those at which it was down, in scenario seconds; ``max_jobs`` is how many it runs at once, None where nobody said.
    """

    clock: Clock
    up: Gate
    schedules: tuple[Timeline, ...]
    kills: tuple[int, ...]
    crashes: tuple[str, ...]
    doubt: str = ""
    downs: tuple[float, ...] = ()
    max_jobs: int | None = None


def read(case: Case, within: int) -> Told | None:
    """What the history tells; None when it says nothing about schedules. `within` is in µs."""
    events = [event for event in case.history.of(Event) if isinstance(event.detail.get("wall"), int)]
    zeros = [event.detail["wall"] - round(event.at * SECOND) for event in events]
    if not zeros:
        return None
    clock = Clock(zeros[0])
    book = _Book(clock, within)
    for event in sorted(events, key=lambda event: event.at):
        book.take(event)
    up = book.up
    for span in case.around.spans:
        if case.around.struck(span.begin, span.begin, PLACES) and span.place.split(".")[0] in PLACES:
            up = up.doubted(clock.wall(span.begin), clock.wall(min(span.end, case.history.end)) + within)
    stepped = max(zeros) - min(zeros) > STEPPED
    doubt = "the wall clock was set during the run, so times cannot be compared" if stepped else ""
    return Told(
        clock, up, tuple(book.schedules.values()), tuple(book.kills), tuple(book.crashes), doubt,
        downs=tuple(event.at for event in book.downs), max_jobs=min(book.limits, default=None),
    )  # fmt: skip


class _Book:
    """Goes through the events in their order."""

    def __init__(self, clock: Clock, within: int) -> None:
        self._clock, self._within = clock, within
        self.up = Gate()
        self.schedules: dict[str, Timeline] = {}
        self.kills: list[int] = []
        self.crashes: list[str] = []
        self.downs: list[Event] = []
        self.limits: list[int] = []

    def take(self, event: Event) -> None:
        """Note one event."""
        # One µs to either side, since each time was rounded to one.
        end = self._clock.wall(event.at) + 1
        begin = end - round(float(event.detail.get("took", 0.0)) * SECOND) - 2
        match event.name:
            case "scheduler-up":
                self.up = self.up.between(begin, end, State.ON)
                self.limits += [event.detail["max_jobs"]] if "max_jobs" in event.detail else []
            case "scheduler-down":
                self.downs.append(event)
                self._down(event, begin, end)
            case "schedule-added" if "trigger" in event.detail:
                self._added(event, begin, end)
            case "schedule-paused" | "schedule-resumed" | "schedule-removed":
                if timeline := self.schedules.get(event.place):
                    self._changed(timeline, event, begin, end)

    def _down(self, event: Event, begin: int, end: int) -> None:
        how = event.detail.get("how")
        if how == "crash":
            # Nobody asked for that: what is due from now on is owed all the same.
            self.crashes.append(f"{event.detail.get('error') or 'it ended'} at {event.at:.3f} s")
            self.kills.append(end)
        else:
            if how != "stop":
                begin -= self._within  # it may have been cut off in the middle of anything
                self.kills.append(end)
            self.up = self.up.between(begin, end, State.OFF)
        if not event.detail.get("durable", True):
            for timeline in self.schedules.values():
                timeline.exists = timeline.exists.between(begin, end, State.OFF)

    def _added(self, event: Event, begin: int, end: int) -> None:
        detail = event.detail
        old = self.schedules.get(event.place)
        if old is not None and old.exists.last is not State.OFF and detail.get("conflict") != "replace":
            return  # it was there already and stays as it is
        policy = Policy(Coalesce(detail["coalesce"]), detail.get("misfire_grace"), detail.get("jitter") or 0)
        made = Timeline(event.place, detail["trigger"], policy, detail.get("max_running"))
        state = State.ON if detail["sure"] else State.UNSURE
        made.exists = made.exists.between(begin, end, state)
        made.unpaused = Gate(((begin, State.OFF if detail.get("paused") else State.ON),))
        made.paused_at = begin if detail.get("paused") else None
        self.schedules[event.place] = made

    def _changed(self, timeline: Timeline, event: Event, begin: int, end: int) -> None:
        sure = bool(event.detail["sure"])
        if event.name == "schedule-removed":
            timeline.exists = timeline.exists.between(begin, end, State.OFF if sure else State.UNSURE)
        elif event.name == "schedule-paused":
            timeline.unpaused = timeline.unpaused.between(begin, end, State.OFF if sure else State.UNSURE)
            timeline.paused_at = begin if timeline.paused_at is None else timeline.paused_at
        else:
            timeline.unpaused = timeline.unpaused.between(begin, end, State.ON if sure else State.UNSURE)
            if event.detail.get("skip") and timeline.paused_at is not None:
                timeline.skipped.append((begin, end, sure))
            timeline.paused_at = None


def skipped(timeline: Timeline, at: int, earliest: int | None) -> Iterator[bool]:
    """For each resumption that left out what it had missed, and so left out what was due at `at`: whether that is sure.

    `earliest` is when the scheduler could first have dealt with it: what was dealt with before is not left out.
    """
    for begin, end, sure in timeline.skipped:
        if at < end and (earliest is None or earliest >= begin):
            yield sure and at < begin
