"""What a scenario will do and when, as data: what `harness explain` prints without playing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.scenario.fault_parts import FaultSpec
from harness.scenario.model import Scenario
from harness.scenario.step_parts import CycleStep, Given
from harness.scenario.values import format_duration, format_odds
from harness.scenario.workload_parts import Workload


class Lane(StrEnum):
    """Which part of the scenario an entry comes from."""

    PHASE = "phase"
    STEP = "step"
    LOAD = "load"
    FAULT = "fault"


@dataclass(frozen=True)
class TimelineEntry:
    """One stretch of a run.

    ``start`` and ``end`` are seconds of scenario time, None where only the run will tell.
    ``name`` is the id of the workload or fault; ``what`` says in words what happens.
    """

    lane: Lane
    name: str
    what: str
    start: float | None = None
    end: float | None = None


class Drawn(NamedTuple):
    """One time that a fault will be on, as drawn; ``end`` is None when nothing heals it before the run ends."""

    fault: str
    start: float
    end: float | None


def timeline(scenario: Scenario, seed: int, drawn: Iterable[Drawn] = ()) -> list[TimelineEntry]:
    """Everything that will be played with `seed`, by time; what has no time of its own comes after.

    The times of faults are drawn in the faults room; give them as `drawn`. A fault without any is described
    by its rule.
    """
    entries = [*_phases(scenario, seed), *_steps(scenario)]
    for item in scenario.workload:
        entries += _load(item)
    times = list(drawn)
    for fault in scenario.faults:
        mine = [one for one in times if one.fault == fault.id]
        entries += [_fault(fault, one.start, one.end) for one in mine] or [_fault_rule(fault)]
    return sorted(
        entries, key=lambda entry: (entry.start is None, entry.start or 0.0, list(Lane).index(entry.lane))
    )


def _phases(scenario: Scenario, seed: int) -> Iterator[TimelineEntry]:
    handlers = scenario.topology.handler_names()
    what = f"set-up of {scenario.target.driver} with {len(handlers)} handlers, seed {seed}"
    yield TimelineEntry(Lane.PHASE, "setup", what, -scenario.limits.setup, 0.0)
    for expect in scenario.steady:
        wanted = ", ".join(f"{name} {bound}" for name, bound in expect.expect.items())
        yield TimelineEntry(
            Lane.PHASE,
            "steady",
            f"awaited for {format_duration(expect.within)} at most: {wanted}",
            -expect.within,
            0.0,
        )
    limit = scenario.limits.run
    yield TimelineEntry(Lane.PHASE, "run", f"at most {format_duration(limit)}", 0.0, limit)
    yield TimelineEntry(
        Lane.PHASE, "settle", f"at most {format_duration(scenario.limits.settle)} after the run"
    )


def _steps(scenario: Scenario) -> Iterator[TimelineEntry]:
    at: float | None = 0.0
    for section, steps in (("given", scenario.given), ("when", scenario.when)):
        for step in steps:
            end = at + step.advance if at is not None and step.advance is not None else at
            yield TimelineEntry(Lane.STEP, step.id or section, _given(step), at, end)
            at = end if step.advance is not None else None
    if scenario.cycles is not None:
        steps_text = ", ".join(_cycle_step(step) for step in scenario.cycles.steps)
        yield TimelineEntry(
            Lane.STEP,
            "cycles",
            f"{scenario.cycles.count} times: {steps_text}; between them {scenario.cycles.gap}",
            0.0,
        )


def _given(step: Given) -> str:
    if step.advance is not None:
        return f"{format_duration(step.advance)} pass"
    return step.op if step.count == 1 else f"{step.op}, {step.count} times"


def _cycle_step(step: CycleStep) -> str:
    if step.do is not None:
        return step.do
    if step.wait is not None:
        return f"wait until {step.wait.until} for {format_duration(step.wait.within)}"
    if step.call is not None:
        return f"{step.call.op} × {step.call.count}" if step.call.count else step.call.op
    if step.stop is not None:
        return f"stop by {' or '.join(step.stop.how)}"
    return next(
        f"{word} {name}"
        for word in ("add", "remove", "bounce", "crash")
        if (name := getattr(step, word)) is not None
    )


def _load(item: Workload) -> Iterator[TimelineEntry]:
    if item.model != "open":
        who = f"{item.users} callers: " if item.model == "closed" else ""
        number = f", {item.count} calls" if item.count else ""
        yield TimelineEntry(Lane.LOAD, item.id, f"{who}{item.op}{number}", item.at, item.duration())
        return
    at = item.at
    for stage in item.spans():
        measured = "" if stage.measure else ", not measured"
        yield TimelineEntry(Lane.LOAD, item.id, f"{item.op} at {stage.rate}{measured}", at, at + stage.length)
        at += stage.length


def _fault(fault: FaultSpec, start: float | None, end: float | None, rule: str = "") -> TimelineEntry:
    where = (
        fault.where if isinstance(fault.where, str) else ", ".join(f"{k}: {v}" for k, v in fault.where.items())
    )
    what = " ".join(part for part in (fault.kind, f"at {where}" if where else "", rule) if part)
    return TimelineEntry(Lane.FAULT, fault.id, what, start, end)


def _fault_rule(fault: FaultSpec) -> TimelineEntry:
    """A fault in the words of its rule: its times were not drawn, or only the run will tell them."""
    length = "" if fault.length is None else f", for {format_duration(fault.length)}"
    start, end = fault.start, fault.end
    if fault.at is not None:
        return _fault(fault, fault.at, None if fault.length is None else fault.at + fault.length)
    if fault.every is not None:
        rule = f"every {fault.every}"
    elif fault.when is not None:
        odds = (
            f"each time with {format_odds(fault.when.odds)}"
            if fault.when.odds is not None
            else f"number {fault.when.nth}"
        )
        rule = f"at the event {fault.when.event}, {odds}"
    else:
        rule = f"after {fault.after}" if fault.after else ""
    return _fault(fault, start, end, rule + length)
