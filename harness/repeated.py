"""Two plays of one simulated run held against each other: histories byte by byte, then the hashes of their traces."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.checks.verdict import Outcome
from harness.report.folder import RunFolder
from harness.report.simulated import SimRecord
from harness.worlds import Simulation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.session import Finished, PlannedRun, Session
    from harness.sim.trace import Difference, Event

AGAIN = "again"
"""The folder, in that of the first run, of a second one that differs."""


@dataclass(frozen=True)
class Repeated:
    """What two plays had in common: the number of ``records`` in their histories, of ``events`` in their traces, and
    the traces' ``digest``. ``difference`` says where they part; empty when nowhere."""

    records: int
    events: int
    digest: str
    difference: str = ""

    @property
    def same(self) -> bool:
        """Whether they do not differ."""
        return not self.difference

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "same": self.same,
            "records": self.records,
            "events": self.events,
            "digest": self.digest,
            "difference": self.difference,
        }


def compare(one: RunFolder, other: RunFolder, names: tuple[str, str] = ("one run", "the other")) -> Repeated:
    """Hold what two runs left against each other; `names` are what the difference calls them."""
    left, right = _lines(one), _lines(other)
    first, second = SimRecord.read(one.simulation), SimRecord.read(other.simulation)
    difference = _first_difference(left, right, names)
    if not difference and first != second:
        difference = "\n".join(
            ["the histories are equal, but not all that happened:", *map(_identity, names, (first, second))]
        )
    known = first or SimRecord(digest="", events=0, choices=0, elapsed=0.0)
    return Repeated(max(len(left) - 1, 0), known.events, known.digest, difference)


def _lines(folder: RunFolder) -> list[bytes]:
    return folder.history.read_bytes().splitlines() if folder.history.is_file() else []


def _first_difference(left: list[bytes], right: list[bytes], names: tuple[str, str]) -> str:
    for number, (one, other) in enumerate(itertools.zip_longest(left, right)):
        if one != other:
            told = [f"the histories differ first at record {number}:" if number else "the histories differ:"]
            told += [
                f"  {name}: {'has ended' if line is None else line.decode('utf-8', 'replace')}"
                for name, line in zip(names, (one, other), strict=True)
            ]
            return "\n".join(told)
    return ""


def _identity(name: str, record: SimRecord | None) -> str:
    if record is None:
        return f"  {name}: left no simulation.json"
    return f"  {name}: digest {record.digest}, {record.events} events, {record.choices} choices, {record.elapsed:g} s"


def play_twice(session: Session, planned: PlannedRun) -> tuple[Finished, Repeated | None]:
    """Play a simulated run, then once more beside it; None when it was interrupted before it could be compared.

    A second run that differs stays, in the folder `AGAIN` of the first, to look at.
    """
    from harness.sim.running import STACK
    from harness.sim.trace import first_difference

    simulations = [Simulation(trace=STACK) for _ in range(2)]
    session.simulation = simulations[0]
    finished = session.play(planned)
    if finished.verdict.outcome is Outcome.INTERRUPTED:
        return finished, None
    again = RunFolder(finished.folder.path / AGAIN)
    again.logs.mkdir(parents=True)
    session.simulation = simulations[1]
    if session.play_in(again, planned).verdict.outcome is Outcome.INTERRUPTED:
        return finished, None
    repeated = compare(finished.folder, again)
    one, other = (simulation.events for simulation in simulations)
    if one is not None and other is not None and (difference := first_difference(one, other)) is not None:
        told = [str(_placed(difference, one.events, other.events)), repeated.difference]
        repeated = replace(repeated, difference="\n".join(filter(None, told)))
    if repeated.same:
        shutil.rmtree(again.path)
    return finished, repeated


def _placed(difference: Difference, one: Sequence[Event], other: Sequence[Event]) -> Difference:
    """The difference with the stacks of what came next where its own events have none: that time passed has no place
    in any program, what a thread did then has."""
    left, right = (
        event._replace(stack=next((later.stack for later in events[difference.at :] if later.stack), ()))
        if event is not None and not event.stack
        else event
        for event, events in ((difference.left, one), (difference.right, other))
    )
    return difference._replace(left=left, right=right)
