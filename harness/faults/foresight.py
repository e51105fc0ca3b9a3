"""What a scenario file shows beforehand that cannot come to pass: faults that come too late, loads that are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from harness.faults.nemesis import followed
from harness.scenario.model import FaultSpec, Scenario

_ENDS = ("ok", "fail", "info")


class Foreseen(NamedTuple):
    """One fault or load that cannot come to pass (``certain``), or does with some seeds only; ``path`` is where it
    stands.
    """

    path: str
    certain: bool
    text: str


def foresee(scenario: Scenario, duration: float) -> tuple[Foreseen, ...]:
    """The loads that the limit of the run cuts, and the faults of a run of `duration` seconds that come too late.

    Each in the order of the file.

    What is not certain is left to the run, whose check ``faults-injected`` tells of it.
    """
    calls = {item.id: item.count for item in scenario.workload if item.model != "open"}
    never: dict[str, str] = {}
    for spec in scenario.faults:
        if why := _too_late(spec, duration) or _too_few(spec, calls):
            never[spec.id] = why
    while lone := [s for s in scenario.faults if s.id not in never and _waits_in_vain(s, scenario, never)]:
        never |= {spec.id: f"it waits for {spec.after}, and that fault never strikes" for spec in lone}
    return (*_cut(scenario), *_told(scenario, never, duration))


def _cut(scenario: Scenario) -> Iterator[Foreseen]:
    limit = scenario.limits.run
    for number, item in enumerate(scenario.workload):
        lasts = item.duration() or 0.0
        if lasts > limit:
            why = f"it lasts until {lasts:g} s, and limits.run cuts the run at {limit:g} s"
            yield Foreseen(f"workload.{number}", True, f"the workload {item.id} can never be through: {why}")


def _told(scenario: Scenario, never: Mapping[str, str], duration: float) -> Iterator[Foreseen]:
    for number, spec in enumerate(scenario.faults):
        if spec.id in never:
            yield Foreseen(f"faults.{number}", True, f"the fault {spec.id} can never strike: {never[spec.id]}")
        elif spec.every is not None and (spec.start or 0.0) + spec.every.high >= duration:
            text = f"the fault {spec.id} may not strike: `every: {spec.every}` in a run of {duration:g} s"
            yield Foreseen(f"faults.{number}", False, text)


def _too_late(spec: FaultSpec, duration: float) -> str:
    begin = spec.at if spec.at is not None else spec.start or 0.0
    begin += spec.every.low if spec.every is not None else 0.0
    return f"it begins at {begin:g} s at the earliest, and the run ends at {duration:g} s" if begin >= duration else ""


def _too_few(spec: FaultSpec, calls: Mapping[str, int | None]) -> str:
    """Why the nth end of a call of a workload whose calls are counted cannot come."""
    if spec.when is None or spec.when.nth is None:
        return ""
    workload, _, end = spec.when.event.rpartition(".")
    count = calls.get(workload)
    if end not in _ENDS or count is None or spec.when.nth <= count:
        return ""
    return f"it waits for {spec.when.event} number {spec.when.nth}, and {workload} makes {count} calls"


def _waits_in_vain(spec: FaultSpec, scenario: Scenario, never: Mapping[str, str]) -> bool:
    others = [other.id for other in scenario.faults if other.id not in never and other.id != spec.id]
    return spec.after is not None and not followed(spec, others)
