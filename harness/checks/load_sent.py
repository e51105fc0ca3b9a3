"""The load that the file asks for was sent: a run of less proves less than its file says."""

from __future__ import annotations

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude
from harness.history.history import History
from harness.history.records import Drop, Operation
from harness.scenario.model import Scenario

NAME = "load-sent"
"""The check's name. It is judged in every scenario, written there or not, as soon as an arrival was dropped."""
ALLOWED = 0.01
"""Share of arrivals that may be dropped before a run proves too little: what happens to one in a hundred is what every
threshold of a file allows as well."""


def unjudged_drops(scenario: Scenario, history: History) -> bool:
    """Whether a workload dropped arrivals and the file says nothing of how many it may drop."""
    return any(f"{name}.dropped" not in scenario.thresholds for name in {drop.workload for drop in history.of(Drop)})


def judge(case: Case, args: None) -> Finding:
    """Count what each workload sent and dropped; one whose ``dropped`` has a threshold is judged by that.

    The target broke nothing by calls that were not made, so the check is unknown, never failed.
    """
    drops = [drop for drop in case.history.of(Drop) if f"{drop.workload}.dropped" not in case.scenario.thresholds]
    sent = list(case.history.of(Operation))
    doubts = []
    for name in dict.fromkeys(drop.workload for drop in drops):
        lost = [drop for drop in drops if drop.workload == name]
        due = len(lost) + sum(operation.workload == name for operation in sent)
        if len(lost) > ALLOWED * due:
            doubts.append(_doubt(name, lost, due))
    return conclude(
        (),
        samples=len(sent),
        broken="",
        good=f"{len(sent)} calls were sent, {len(drops)} dropped",
        nothing="no call was sent, so nothing was proven",
        doubts=doubts,
    )


def _doubt(name: str, lost: list[Drop], due: int) -> Problem:
    text = (
        f"{len(lost)} of {due} arrivals of {name} were not sent: too many calls were under way. Ask for less, raise "
        f"in_flight, or say with {name}.dropped under thresholds how many may be dropped"
    )
    return Problem(0, lost[0].intended, text, (("workload", name), ("dropped", len(lost)), ("due", due)))


CHECK = Check(
    name=NAME, about="no workload dropped more than 1 % of its arrivals unsent", judge=judge, sections=LASTING
)
