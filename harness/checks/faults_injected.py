"""Every fault of the plan struck: a run in which one did not proves less than its file says."""

from __future__ import annotations

from math import isfinite

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many, moment
from harness.checks.strikes import Strikes
from harness.history.records import NOT_IN_SWARM, Fault, FaultEvent, MetBy

NAME = "faults-injected"
"""The check's name. It is judged in every scenario with ``faults``, whether it is written there or not."""


def judge(case: Case, args: None) -> Finding:
    """Look for one strike of each fault; one that the swarm of this seed leaves out owes none.

    What was injected and met nothing did not strike: a silent handler that no call came to. Where nobody can tell, it
    is said to have been injected, and no more. Nothing is broken by a fault that did not strike, so the check is
    unknown then, and tells why it did not.
    """
    told: dict[str, list[Fault]] = {spec.id: [] for spec in case.scenario.faults}
    for record in case.history.of(Fault):
        told.setdefault(record.id, []).append(record)
    strikes = Strikes(case)
    owed = [spec.id for spec in case.scenario.faults if not _excused(told[spec.id])]
    struck = [name for name in owed if any(strikes.first(one) is not None for one in strikes.injected[name])]
    untold = [name for name in owed if name not in struck and strikes.untold(name)]
    doubts = [_doubt(case, name, told[name], strikes) for name in owed if name not in (*struck, *untold)]
    kinds = {spec.id: spec.kind for spec in case.scenario.faults}
    return conclude(
        (),
        samples=len(struck) + len(untold),
        broken="",
        good=_good(struck, [f"{name} ({kinds[name]})" for name in untold]),
        nothing="the plan had no faults, so nothing was proven",
        doubts=doubts,
    )


def _good(struck: list[str], untold: list[str]) -> str:
    parts = [f"{many(len(struck), 'fault')} of the plan struck"] if struck else []
    if untold:
        was, it = ("was", "it") if len(untold) == 1 else ("were", "them")
        parts.append(f"{', '.join(untold)} {was} injected (what met {it} leaves no trace)")
    return "; ".join(parts)


def _excused(records: list[Fault]) -> bool:
    return any(r.event is FaultEvent.SKIPPED and r.detail.get("reason") == NOT_IN_SWARM for r in records)


def _doubt(case: Case, name: str, records: list[Fault], strikes: Strikes) -> Problem:
    if injected := strikes.injected[name]:
        return _unmet(injected, strikes)
    said = [record for record in records if record.event in (FaultEvent.SKIPPED, FaultEvent.FAILED)]
    kind = next(spec.kind for spec in case.scenario.faults if spec.id == name)
    why = said[0].detail.get("reason") or said[0].detail.get("error") if said else "nothing was recorded about it"
    at = said[0].at if said else case.history.end
    text = f"the fault {name} ({kind}) never struck: {why}"
    more = f" (and {len(said) - 1} more times)" if len(said) > 1 else ""
    return Problem(0, at, text + more, (("fault", name),))


def _unmet(injected: list[Fault], strikes: Strikes) -> Problem:
    one = injected[0]
    missed = "nothing used it" if one.detail.get("met_by") == MetBy.USE else "no call came to it"
    until = strikes.end(one)
    span = f"from {moment(one.at)} " + (f"to {moment(until)}" if isfinite(until) else "on")
    more = f" (nor any of {len(injected) - 1} more times)" if len(injected) > 1 else ""
    text = f"the fault {one.id} ({one.kind}) struck nothing: it was on at {one.place} {span}, and {missed}{more}"
    return Problem(0, one.at, text, (("fault", one.id),))


CHECK = Check(name=NAME, about="every fault of the plan struck at least once", judge=judge, sections=LASTING)
