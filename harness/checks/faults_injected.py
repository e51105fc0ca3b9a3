"""Every fault of the plan struck: a run in which one did not proves less than its file says."""

from __future__ import annotations

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many
from harness.history.records import NOT_IN_SWARM, Fault, FaultEvent

NAME = "faults-injected"
"""The check's name. It is judged in every scenario with ``faults``, whether it is written there or not."""


def judge(case: Case, args: None) -> Finding:
    """Look for one injection of each fault; one that the swarm of this seed leaves out owes none.

    Nothing is broken by a fault that did not strike, so the check is unknown then, and tells why it did not.
    """
    faults = case.history.of(Fault)
    told = {spec.id: [record for record in faults if record.id == spec.id] for spec in case.scenario.faults}
    owed = [name for name, records in told.items() if not _excused(records)]
    struck = [name for name in owed if any(record.event is FaultEvent.INJECTED for record in told[name])]
    doubts = [_doubt(case, name, told[name]) for name in owed if name not in struck]
    return conclude(
        (),
        samples=len(struck),
        broken="",
        good=f"{many(len(struck), 'fault')} of the plan struck",
        nothing="the plan had no faults, so nothing was proven",
        doubts=doubts,
    )


def _excused(records: list[Fault]) -> bool:
    return any(r.event is FaultEvent.SKIPPED and r.detail.get("reason") == NOT_IN_SWARM for r in records)


def _doubt(case: Case, name: str, records: list[Fault]) -> Problem:
    said = [record for record in records if record.event in (FaultEvent.SKIPPED, FaultEvent.FAILED)]
    kind = next(spec.kind for spec in case.scenario.faults if spec.id == name)
    why = said[0].detail.get("reason") or said[0].detail.get("error") if said else "nothing was recorded about it"
    at = said[0].at if said else case.history.end
    text = f"the fault {name} ({kind}) never struck: {why}"
    more = f" (and {len(said) - 1} more times)" if len(said) > 1 else ""
    return Problem(0, at, text + more, (("fault", name),))


CHECK = Check(
    name=NAME, about="every fault of the plan was injected at least once", judge=judge, sections=LASTING
)
