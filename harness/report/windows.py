"""The stretches of a run during which something was the case: phases, faults, lives of processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.history.records import Edge, Fault, FaultEvent, Phase, PhaseName, Process, ProcessEvent, Step

if TYPE_CHECKING:
    from harness.history.history import History


@dataclass(frozen=True)
class FaultWindow:
    """One injection of one fault at one place. ``end`` is None while it was never healed.

    Times are scenario seconds.
    """

    id: str
    kind: str
    place: str
    begin: float
    end: float | None
    outcome: FaultEvent
    detail: dict[str, Any] = field(default_factory=dict)
    armed: float | None = None

    @property
    def acted(self) -> bool:
        """Whether anything was done to the target."""
        return self.outcome in (FaultEvent.INJECTED, FaultEvent.HEALED)


@dataclass
class _Open:
    armed: float | None = None
    injected: Fault | None = None


def fault_windows(history: History) -> tuple[FaultWindow, ...]:
    """Every injection in order of time, and each that failed or was skipped.

    An arming that led to nothing counts as armed.
    """
    found: list[FaultWindow] = []
    opened: dict[tuple[str, str], _Open] = {}
    for fault in history.of(Fault):
        state = opened.setdefault((fault.id, fault.place), _Open())
        if fault.event is FaultEvent.ARMED:
            state.armed = fault.at
        elif fault.event is FaultEvent.INJECTED:
            if state.injected is not None:  # a second injection before any heal ends the first
                found.append(_window(state.injected, fault.at, FaultEvent.INJECTED, state.armed))
            state.injected = fault
        elif state.injected is not None:
            found.append(_window(state.injected, fault.at, fault.event, state.armed, fault.detail))
            state.injected = None
        elif fault.event is not FaultEvent.HEALED:  # a heal of what was never injected says nothing
            found.append(_window(fault, fault.at, fault.event, state.armed))
    found.extend(
        _window(state.injected, None, FaultEvent.INJECTED, state.armed)
        for state in opened.values()
        if state.injected is not None
    )
    found.extend(_only_armed(history, found))
    return tuple(sorted(found, key=lambda w: (w.begin, w.id, w.place)))


def _window(
    fault: Fault,
    end: float | None,
    outcome: FaultEvent,
    armed: float | None,
    more: dict[str, Any] | None = None,
) -> FaultWindow:
    detail = {**fault.detail, **(more or {})}
    return FaultWindow(fault.id, fault.kind, fault.place, fault.at, end, outcome, detail, armed)


def fewer(windows: Sequence[FaultWindow], gap: float) -> tuple[FaultWindow, ...]:
    """The windows that acted, those of one fault joined where less than `gap` seconds lie between them.

    For drawing only: a fault that strikes a thousand times would make a page of megabytes.
    """
    done: list[FaultWindow] = []
    last: dict[str, int] = {}
    for window in sorted((w for w in windows if w.acted), key=lambda w: w.begin):
        n = last.get(window.id)
        before = done[n] if n is not None else None
        if n is None or before is None or (before.end is not None and window.begin - before.end >= gap):
            last[window.id] = len(done)
            done.append(window)
            continue
        end = None if before.end is None or window.end is None else max(before.end, window.end)
        place = before.place if window.place in before.place.split(", ") else f"{before.place}, {window.place}"
        done[n] = dataclasses.replace(before, end=end, place=place)
    return tuple(done)


def _only_armed(history: History, found: list[FaultWindow]) -> list[FaultWindow]:
    seen = {window.id for window in found}
    first: dict[str, Fault] = {}
    for fault in history.of(Fault):
        if fault.event is FaultEvent.ARMED and fault.id not in seen:
            first.setdefault(fault.id, fault)
    return [
        FaultWindow(f.id, f.kind, f.place, f.at, f.at, FaultEvent.ARMED, f.detail, f.at) for f in first.values()
    ]


@dataclass(frozen=True)
class PhaseWindow:
    """One phase; ``end`` is the last moment of the history when the phase was cut short."""

    name: PhaseName
    begin: float
    end: float
    cut: bool


def phase_windows(history: History) -> tuple[PhaseWindow, ...]:
    """The phases that began, in order."""
    begun: dict[PhaseName, float] = {}
    done: list[PhaseWindow] = []
    for phase in history.of(Phase):
        if phase.edge is Edge.BEGIN:
            begun[phase.name] = phase.at
        elif phase.name in begun:
            done.append(PhaseWindow(phase.name, begun.pop(phase.name), phase.at, cut=False))
    last = max((r.at for r in history.records), default=0.0)
    done.extend(PhaseWindow(name, begin, max(begin, last), cut=True) for name, begin in begun.items())
    return tuple(sorted(done, key=lambda w: (w.begin, w.end)))


@dataclass(frozen=True)
class Life:
    """One life of one process, from start to exit; None where the history does not say.

    ``stopped``: it ended while the target was being stopped, by the teardown or a step of a cycle.
    """

    name: str
    pid: int
    begin: float | None
    ready: float | None
    end: float | None
    code: int | None
    stopped: bool = False

    @property
    def died(self) -> bool:
        """Whether it ended otherwise than it was asked to. Without a code that is so where nobody stopped it."""
        return self.end is not None and self.code != 0 and not (self.code is None and self.stopped)


def lives(history: History) -> tuple[Life, ...]:
    """The lives of all processes of the target, in order of their first record."""
    found: dict[tuple[str, int], Life] = {}
    stops = _stops(history)
    for process in history.of(Process):
        key = (process.name, process.pid)
        life = found.get(key, Life(process.name, process.pid, None, None, None, None))
        if process.event is ProcessEvent.STARTED:
            life = Life(life.name, life.pid, process.at, life.ready, life.end, life.code)
        elif process.event is ProcessEvent.READY:
            life = Life(life.name, life.pid, life.begin, process.at, life.end, life.code)
        else:
            stopped = any(begin <= process.at <= end for begin, end in stops)
            life = Life(life.name, life.pid, life.begin, life.ready, process.at, process.code, stopped)
        found[key] = life
    return tuple(found.values())


def _stops(history: History) -> list[tuple[float, float]]:
    """When processes end because they are told to; crashes are steps of a cycle too, but no such ones."""
    steps = [(step.start, step.end) for step in history.of(Step) if not step.step.startswith("crash")]
    return steps + [(w.begin, w.end) for w in phase_windows(history) if w.name is PhaseName.TEARDOWN]


def time_range(history: History) -> tuple[float, float]:
    """First and last moment that a report draws, in scenario seconds; at least a second apart."""
    times = [r.at for r in history.records]
    begin = min([0.0, *times])
    end = max([begin + 1.0, *times])
    return begin, end
