"""The load that the file asks for was sent, when it asks for it: a run of less proves less than its file says."""

from __future__ import annotations

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted
from harness.history.history import History
from harness.history.records import Drop, Event, Operation
from harness.scenario.model import Scenario

NAME = "load-sent"
"""The check's name. It is judged in every scenario, written there or not, as soon as an arrival was dropped or the load
generator fell behind."""
ALLOWED = 0.01
"""Share of arrivals that may be dropped before a run proves too little: what happens to one in a hundred is what every
threshold of a file allows as well."""
BEHIND = 0.25
"""Share of a workload's calls that may start overdue (`harness.workload.lag.OVERDUE`): a pause of the machine delays a
few, and is no reason to doubt a run, since latency counts from the intended time; a generator that cannot keep up
delays most of them, and then another load was played than the file says."""


def has_something_to_say(scenario: Scenario, history: History) -> bool:
    """Whether arrivals were dropped of which the file does not say how many may be, or a generator fell behind."""
    return bool(_unjudged(scenario, history) or _behind(history))


def judge(case: Case, args: None) -> Finding:
    """Count what each workload sent, dropped and sent too late; one with a threshold on ``dropped`` is judged by that.

    The target broke nothing by calls that were not made in time, so the check is unknown, never failed. Only open
    workloads have times to be late for; in the simulated world the generator is never behind.
    """
    drops = _unjudged(case.scenario, case.history)
    sent = list(case.history.of(Operation))
    doubts = []
    for name in dict.fromkeys(drop.workload for drop in drops):
        lost = [drop for drop in drops if drop.workload == name]
        due = len(lost) + sum(operation.workload == name for operation in sent)
        if len(lost) > ALLOWED * due:
            doubts.append(_doubt(name, lost, due))
    doubts += [_late(event) for event in _behind(case.history)]
    return conclude(
        (),
        samples=len(sent),
        broken="",
        good=f"{len(sent)} calls were sent, {len(drops)} dropped",
        nothing="no call was sent, so nothing was proven",
        doubts=doubts,
    )


def _unjudged(scenario: Scenario, history: History) -> list[Drop]:
    return [drop for drop in history.of(Drop) if f"{drop.workload}.dropped" not in scenario.thresholds]


def _behind(history: History) -> list[Event]:
    """What the generators said that fell behind; one straggler is forgiven, however few calls there are."""
    told = [event for event in history.of(Event) if event.name == "generator-behind"]
    return [e for e in told if e.detail.get("overdue", 0) > max(1, BEHIND * e.detail.get("calls", 0))]


def _late(event: Event) -> Problem:
    said = event.detail
    text = (
        f"the load generator fell behind: {said['overdue']} of {said['calls']} calls of {event.place} started more "
        f"than {lasted(said['overdue_after'])} after their time (worst {lasted(said['worst'])}), so another load was "
        "played than the file asks for. Ask for less, or run on a faster or quieter machine"
    )
    data = {key: said[key] for key in ("overdue", "calls", "worst")}
    return Problem(0, event.at, text, (("workload", event.place), *data.items()))


def _doubt(name: str, lost: list[Drop], due: int) -> Problem:
    text = (
        f"{len(lost)} of {due} arrivals of {name} were not sent: too many calls were under way. Ask for less, raise "
        f"in_flight, or say with {name}.dropped under thresholds how many may be dropped"
    )
    return Problem(0, lost[0].intended, text, (("workload", name), ("dropped", len(lost)), ("due", due)))


CHECK = Check(
    name=NAME,
    about="no workload dropped more than 1 % of its arrivals, and none started a quarter of its calls over 1 s late",
    judge=judge,
    sections=LASTING,
)
