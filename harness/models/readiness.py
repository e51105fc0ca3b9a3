"""When a schedule could be looked at by its scheduler: certainly, certainly not, or nobody can know.

>>> up = Gate().at(0, State.ON).between(10, 12, State.OFF)
>>> [up.state(moment).value for moment in (5, 11, 20)]
['on', 'unsure', 'off']
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether something holds at a moment."""

    ON = "on"
    OFF = "off"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Gate:
    """A state over time: ``changes`` are pairs of µs and the state from then on, in order of time; off before."""

    changes: tuple[tuple[int, State], ...] = ()

    def at(self, moment: int, state: State) -> Gate:
        """The same with a further change; one that comes before the last takes effect with it."""
        last = self.changes[-1][0] if self.changes else moment
        return Gate((*self.changes, (max(moment, last), state)))

    def between(self, begin: int, end: int, state: State) -> Gate:
        """The same with a change at some moment from `begin` to `end`, both included: unsure until it is over."""
        unsure = self if self.last is state else self.at(begin, State.UNSURE)
        return unsure.at(end + 1, state)

    @property
    def last(self) -> State:
        """The state after the last change."""
        return self.changes[-1][1] if self.changes else State.OFF

    def state(self, moment: int) -> State:
        """The state at `moment`, a change at that very moment included."""
        index = bisect_right(self.changes, moment, key=lambda change: change[0])
        return self.changes[index - 1][1] if index else State.OFF

    def doubted(self, begin: int, end: int) -> Gate:
        """The same, with everything from `begin` to `end` unsure but what is certainly off."""
        inside = [(at, state) for at, state in self.changes if begin < at < end]
        marks = [(begin, self.state(begin)), *inside]
        doubts = [(at, State.OFF if state is State.OFF else State.UNSURE) for at, state in marks]
        before = [change for change in self.changes if change[0] < begin]
        after = [change for change in self.changes if change[0] >= end]
        return Gate((*before, *doubts, (end, self.state(end)), *after))


def all_of(gates: Iterable[Gate]) -> Gate:
    """On where all are on, off where one is off, else unsure."""
    parts = tuple(gates)
    moments = sorted({at for gate in parts for at, _ in gate.changes})
    merged: list[tuple[int, State]] = []
    for moment in moments:
        states = {gate.state(moment) for gate in parts}
        state = State.OFF if State.OFF in states else State.UNSURE if State.UNSURE in states else State.ON
        if not merged or merged[-1][1] is not state:
            merged.append((moment, state))
    return Gate(tuple(merged))


@dataclass(frozen=True)
class Window:
    """When something due was dealt with: not before ``earliest``, no later than ``latest``; None: never, for sure
    respectively not for sure.
    """

    earliest: int | None
    latest: int | None


def window(gate: Gate, due: int, lag: int) -> Window:
    """When a scheduler that takes at most `lag` µs deals with what is due at `due`."""
    earliest = latest = None
    for begin, end, state in _stretches(gate, due):
        if state is State.OFF:
            continue
        earliest = begin if earliest is None else earliest
        if state is State.ON and (end is None or end - begin >= lag):
            latest = begin + lag
            break
    return Window(earliest, latest)


def _stretches(gate: Gate, since: int) -> Iterator[tuple[int, int | None, State]]:
    """Begin, end and state of each stretch from `since` on."""
    begin, state = since, gate.state(since)
    index = bisect_right(gate.changes, since, key=lambda change: change[0])
    for at, following in gate.changes[index:]:
        if following is not state:
            yield begin, at, state
            begin, state = at, following
    yield begin, None, state
