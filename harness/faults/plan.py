"""When each fault of a scenario will be on: a pure function of the scenario, the seed, and how long the run
lasts.

What waits for an event has a window instead of times. Each fault draws from a stream of its own name, so that
adding or leaving out one moves no other.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.errors import UsageError
from harness.faults.nemesis import Stretch, followed, spread, swarm
from harness.faults.registry import lasting
from harness.history.records import NOT_IN_SWARM
from harness.scenario.model import FaultSpec, Nemesis, Scenario

MOST = 100_000
"""Occurrences of one fault beyond which ``every`` is taken for a mistake."""


class DrawsFrom(Protocol):
    """Named streams of random numbers (`harness.scenario.streams.Streams`)."""

    def stream(self, name: str, /) -> random.Random:
        """The stream of that name; the same seed and name give the same numbers."""


@dataclass(frozen=True)
class Occurrence:
    """One time that a fault is injected and healed, in seconds of scenario time.

    ``end`` is None when nobody heals it before the run ends, and equals ``start`` when it is healed at once.
    """

    start: float
    end: float | None


@dataclass(frozen=True)
class PlannedFault:
    """One fault of the scenario with the times drawn for it.

    ``window`` is when ``when`` and ``after`` are listened for (and the bounds of timed ones). ``left_out`` says
    why it is not played, where it is not; ``no_room`` counts the occurrences for which `overlap` and `quiet`
    left no room.
    """

    spec: FaultSpec
    occurrences: tuple[Occurrence, ...] = ()
    window: tuple[float, float] = (0.0, math.inf)
    left_out: str = ""
    no_room: int = 0


def draw_plan(
    scenario: Scenario,
    streams: DrawsFrom,
    duration: float,
    *,
    lasts: Callable[[FaultSpec], float | None] = lasting,
) -> tuple[PlannedFault, ...]:
    """The plan of a run of `duration` seconds, in the order of the scenario's ``faults``.

    `lasts` tells for how long a fault without ``for`` is on by itself (see `harness.faults.base.Fault.lasts`).
    Raises `UsageError` for an ``after`` that names no fault and for times that cannot be drawn.
    """
    _check_after(scenario.faults)
    nemesis = scenario.nemesis or Nemesis()
    drawn = [
        _draw(spec, streams.stream(f"faults/{spec.id}"), duration, lasts(spec)) for spec in scenario.faults
    ]
    if nemesis.swarm:
        kept = swarm(scenario.faults, streams.stream("faults/swarm"))
        drawn = [
            p if p.spec.id in kept else replace(p, occurrences=(), left_out=NOT_IN_SWARM)
            for p in drawn
        ]
    return _spread(drawn, nemesis, duration, lasts)


def _draw(spec: FaultSpec, rng: random.Random, duration: float, lasts: float | None) -> PlannedFault:
    begin = spec.start or 0.0
    end = duration if spec.end is None else spec.end
    if spec.when is not None or spec.after is not None:
        return PlannedFault(spec, window=(begin, math.inf if spec.end is None else end))
    length = (
        None if spec.keep else spec.length if spec.length is not None else 0.0 if lasts is not None else None
    )
    if spec.at is not None:
        starts = [spec.at]
    elif spec.every is not None:
        starts = _repeated(spec, rng, begin, min(end, duration), length or lasts or 0.0)
    else:
        starts, length = [begin], end - begin if spec.length is None and not spec.keep else length
    inside = [start for start in starts if 0 <= start < duration]
    occurrences = tuple(Occurrence(s, None if length is None else round(s + length, 6)) for s in inside)
    late = "" if inside else f"its time comes after the run's end at {duration:g} s"
    return PlannedFault(spec, occurrences, (begin, end), left_out=late)


def _repeated(spec: FaultSpec, rng: random.Random, begin: float, end: float, length: float) -> list[float]:
    """Start after start, each a draw after the one before, and never before that one is healed."""
    assert spec.every is not None
    if spec.every.high <= 0:
        raise UsageError(
            f"fault {spec.id}: `every: {spec.every}` never lets time pass; give a duration above zero"
        )
    starts: list[float] = []
    moment = begin
    while True:
        drawn = rng.uniform(spec.every.low, spec.every.high)
        moment = round(moment + (max(drawn, length) if starts else drawn), 6)
        if moment >= end:
            return starts
        starts.append(moment)
        if len(starts) > MOST:
            raise UsageError(
                f"fault {spec.id}: `every: {spec.every}` means more than {MOST} times; is the unit right?"
            )


def _spread(
    drawn: Sequence[PlannedFault], nemesis: Nemesis, duration: float, lasts: Callable[[FaultSpec], float | None]
) -> tuple[PlannedFault, ...]:
    """Move the occurrences of all faults apart, as the nemesis asks."""
    flat = [(index, occurrence) for index, planned in enumerate(drawn) for occurrence in planned.occurrences]
    wanted = [_stretch(occurrence, lasts(drawn[index].spec)) for index, occurrence in flat]
    placed = spread(wanted, overlap=nemesis.overlap, quiet=nemesis.quiet, duration=duration)
    result = []
    for index, planned in enumerate(drawn):
        mine = [(o, p) for (i, o), p in zip(flat, placed, strict=True) if i == index]
        kept = tuple(_moved(o, p) for o, p in mine if p is not None)
        no_room = len(mine) - len(kept)
        why = planned.left_out or (
            "" if kept or not mine else "the nemesis found no room for it beside the others"
        )
        result.append(replace(planned, occurrences=kept, no_room=no_room, left_out=why))
    return tuple(result)


def _stretch(occurrence: Occurrence, lasts: float | None) -> Stretch:
    """How long the occurrence keeps the target busy: one that is healed at once lasts for as long as its kind
    says.
    """
    if occurrence.end is None:
        return Stretch(occurrence.start, math.inf)
    return Stretch(occurrence.start, round(max(occurrence.end, occurrence.start + (lasts or 0.0)), 6))


def _moved(occurrence: Occurrence, place: Stretch) -> Occurrence:
    if place.start == occurrence.start or occurrence.end is None:
        return replace(occurrence, start=place.start)
    return Occurrence(place.start, round(place.start + occurrence.end - occurrence.start, 6))


def _check_after(specs: Sequence[FaultSpec]) -> None:
    for spec in specs:
        others = [other.id for other in specs if other.id != spec.id]
        if spec.after and not followed(spec, others):
            listed = ", ".join(others) or "none"
            raise UsageError(
                f"fault {spec.id}: `after: {spec.after}` names no other fault; the others are: {listed}"
            )
