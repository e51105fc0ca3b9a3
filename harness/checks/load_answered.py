"""The load was answered: a run in which the target refused most of it proves little about the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, many
from harness.history.history import History
from harness.history.records import Operation, Status
from harness.scenario.model import Scenario

NAME = "load-answered"
"""The check's name. It is judged in every scenario, written there or not, as soon as it has something to say."""
ALLOWED = 0.5
"""Share of a workload's calls that may end otherwise than well before a run proves too little. Faults make calls fail,
and how many of them may is for the file to say; where it does not, a target that refuses more than it takes did not do
what the file asks for, and checks that read what became of accepted work have next to nothing to read."""
BOUNDS = {Status.FAIL: ("errors", "rate"), Status.INFO: ("unknowns", "rate")}
"""Metrics of a workload of which a threshold says how many of its calls may end so: one on those in doubt says nothing
of those that fail."""


def has_something_to_say(scenario: Scenario, history: History) -> bool:
    """Whether most calls of a workload failed or are in doubt, and the file does not say how many may."""
    return bool(_doubts(scenario, history))


def judge(case: Case, args: None) -> Finding:
    """Count how the calls of each workload ended; one with a threshold on them is judged by that.

    Whether calls may fail is the file's to say, so the check is unknown, never failed.
    """
    ended = _ended(case.scenario, case.history)
    calls = [operation for operations in ended.values() for operation in operations]
    bad = failures(case.scenario, case.history)
    return conclude(
        (),
        samples=len(calls),
        broken="",
        good=bad or f"{many(len(calls), 'call')} ended well",
        nothing="no call was sent, so nothing was proven",
        doubts=_doubts(case.scenario, case.history),
    )


def failures(scenario: Scenario, history: History) -> str:
    """How many calls of all workloads failed and are in doubt, for a sentence; empty when all ended well.

    Steps of ``given``, ``when`` and ``cycles`` are not counted: each says itself how it should end.
    """
    ended = [operation for operations in _ended(scenario, history).values() for operation in operations]
    return _told(ended, "")


def with_failures(reason: str, scenario: Scenario, history: History) -> str:
    """The sentence of a verdict, with how many calls failed if any did: `all checks passed` tells nothing of those."""
    bad = failures(scenario, history)
    return f"{reason}; {bad}" if bad else reason


def _ended(scenario: Scenario, history: History) -> Mapping[str, Sequence[Operation]]:
    """The calls of each workload."""
    found: dict[str, list[Operation]] = {item.id: [] for item in scenario.workload}
    for operation in history.of(Operation):
        if operation.workload in found:
            found[operation.workload].append(operation)
    return found


def _doubts(scenario: Scenario, history: History) -> list[Problem]:
    doubts = []
    for name, operations in _ended(scenario, history).items():
        judged = {
            status
            for status, metrics in BOUNDS.items()
            if any(f"{name}.{metric}" in scenario.thresholds for metric in metrics)
        }
        bad = [one for one in operations if one.status is not Status.OK and one.status not in judged]
        if len(bad) > ALLOWED * len(operations):
            doubts.append(_doubt(name, operations, bad))
    return doubts


def _doubt(name: str, operations: Sequence[Operation], bad: Sequence[Operation]) -> Problem:
    """What to say of a workload of whose calls these ended badly, and no threshold says how many may."""
    bounds = " and ".join(
        f"{name}.{metric}"
        for metric, status in (("errors", Status.FAIL), ("unknowns", Status.INFO))
        if any(operation.status is status for operation in bad)
    )
    text = (
        f"{_told(operations, f' of {name}')} (first: {bad[0].error or 'no reason given'}), so little was proven about "
        f"the target. Say with {bounds} under thresholds how many may"
    )
    return Problem(0, bad[0].end, text, (("workload", name), ("bad", len(bad)), ("calls", len(operations))))


def _told(operations: Sequence[Operation], whose: str) -> str:
    """``36 of 40 calls failed``, ``36 of 40 calls failed, 2 are in doubt``; empty when all ended well."""
    failed = sum(operation.status is Status.FAIL for operation in operations)
    open_ = sum(operation.status is Status.INFO for operation in operations)
    of = f" of {many(len(operations), 'call')}{whose}"
    doubt = "is in doubt" if open_ == 1 else "are in doubt"
    if failed:
        return f"{failed}{of} failed" + (f", {open_} {doubt}" if open_ else "")
    return f"{open_}{of} {doubt}" if open_ else ""


CHECK = Check(
    name=NAME,
    about="of each workload at least half of the calls ended well, or a threshold says how many may not",
    judge=judge,
    sections=LASTING,
)
