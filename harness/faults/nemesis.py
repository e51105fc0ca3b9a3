"""Drawing which faults are played, and moving them apart: swarm, overlap, quiet.

Everything here is a pure function of times, so that the same seed gives the same plan, in both worlds and in
every version of Python.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.scenario.model import FaultSpec


@dataclass(frozen=True, order=True)
class Stretch:
    """The time one fault is on, in seconds of scenario time; ``end`` is infinite when it stays until the run
    ends.
    """

    start: float
    end: float


def swarm(specs: Sequence[FaultSpec], rng: random.Random) -> frozenset[str]:
    """The ids of a random subset: each fault with even odds, never none. A fault ``after`` another is in only
    if that one is.

    Leaving faults out finds defects that all of them together hide (swarm testing, Groce 2012).
    """
    if not specs:
        return frozenset()
    drawn = {spec.id for spec in specs if rng.random() < 0.5}
    roots = [spec.id for spec in specs if spec.after is None]
    if not drawn.intersection(roots) and roots:
        drawn.add(rng.choice(roots))
    while True:
        lone = {
            spec.id
            for spec in specs
            if spec.id in drawn and spec.after and not followed(spec, drawn - {spec.id})
        }
        if not lone:
            return frozenset(drawn)
        drawn -= lone


def followed(spec: FaultSpec, others: Iterable[str]) -> bool:
    """Whether one of `others` is a fault whose heal `spec` waits for (``after`` may be a glob)."""
    return any(fnmatchcase(f"{other}.heal", spec.after or "") for other in others)


def spread(
    wanted: Sequence[Stretch], *, overlap: int | None, quiet: float, duration: float
) -> tuple[Stretch | None, ...]:
    """Each stretch moved later, just as far as needed, or None when there is no room before `duration` is over.

    Afterwards at no moment more than `overlap` are on, and a stretch begins either while another is on or at
    least `quiet` seconds after everything had healed. Lengths stay. Answers are in the order of `wanted`.

    >>> spread([Stretch(1, 4), Stretch(2, 3)], overlap=1, quiet=1.0, duration=10)
    (Stretch(start=1, end=4), Stretch(start=5.0, end=6.0))
    """
    if overlap is None and not quiet:
        return tuple(wanted)
    placed: list[Stretch] = []
    answers: list[Stretch | None] = [None] * len(wanted)
    for index in sorted(range(len(wanted)), key=lambda i: (wanted[i].start, i)):
        stretch = wanted[index]
        start = _first_fit(stretch, placed, overlap, quiet)
        if start >= duration and start > stretch.start:
            continue
        moved = (
            stretch if start == stretch.start else Stretch(start, round(start + stretch.end - stretch.start, 6))
        )
        placed.append(moved)
        answers[index] = moved
    return tuple(answers)


def _first_fit(stretch: Stretch, placed: Sequence[Stretch], overlap: int | None, quiet: float) -> float:
    """The earliest start, not before the wanted one, that keeps both promises toward all that are placed."""
    length = stretch.end - stretch.start
    turns = [moment for other in placed for moment in (other.start, other.end, other.end + quiet)]
    for start in sorted({stretch.start} | {round(turn, 6) for turn in turns}):
        if start >= stretch.start and start < math.inf:
            moved = Stretch(start, round(start + length, 6) if start != stretch.start else stretch.end)
            if _room(moved, placed, overlap) and _keeps_quiet([*placed, moved], quiet):
                return start
    return math.inf


def _room(stretch: Stretch, placed: Sequence[Stretch], overlap: int | None) -> bool:
    if overlap is None:
        return True
    moments = [stretch.start, *(other.start for other in placed if stretch.start < other.start < stretch.end)]
    return all(sum(_on_at(other, moment) for other in placed) < overlap for moment in moments)


def most_at_once(stretches: Sequence[Stretch]) -> int:
    """The largest number of stretches that are on at one moment; one that ends when another begins does not
    meet it.
    """
    return max((sum(_on_at(other, one.start) for other in stretches) for one in stretches), default=0)


def _on_at(stretch: Stretch, moment: float) -> bool:
    # An instant (length 0) is over when it begins, and yet two of them at one moment count as two.
    return stretch.start <= moment < stretch.end or stretch.start == moment


def _keeps_quiet(stretches: Sequence[Stretch], quiet: float) -> bool:
    return all(gap >= quiet - 1e-9 for gap in gaps(stretches))


def gaps(stretches: Sequence[Stretch]) -> list[float]:
    """The lengths of the pauses, each between the end of everything before and the next beginning; touching is
    a pause of 0.

    >>> gaps([Stretch(0, 5), Stretch(1, 2), Stretch(7, 8)])
    [2]
    """
    found: list[float] = []
    busy_until = -math.inf
    for stretch in sorted(stretches):
        if busy_until > -math.inf and stretch.start >= busy_until:
            found.append(stretch.start - busy_until)
        busy_until = max(busy_until, stretch.end)
    return found
