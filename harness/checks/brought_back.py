"""Every process that a fault killed was started again by whoever keeps it alive."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment
from harness.history.records import Fault, FaultEvent, RestartedBy

KINDS = ("process.kill", "process.terminate")
WHO_SHOULD = (RestartedBy.GOVERNOR, RestartedBy.SUPERVISOR)
"""What a healed kill tells as ``by`` when nobody had to help."""


def judge(case: Case, args: None) -> Finding:
    """Read how each kill was healed: where the harness had to start the process itself, its governor had not.

    The harness does so at the end of the fault's ``restart``, so that a run goes on; without this check that would hide
    the very defect that the kill is there to find.
    """
    kills = [fault for fault in case.history.of(Fault) if fault.kind in KINDS]
    ended = [fault for fault in kills if _tells(fault)]
    problems = [problem for fault in ended for problem in _problems(fault)]
    killed = many(len(ended), "killed process", "killed processes")
    return conclude(
        problems,
        samples=len(ended),
        broken=f"{len(problems)} of {killed} not brought back by the governor",
        good=f"{killed} brought back",
        nothing="no process was killed, so nothing was proven",
    )


def _tells(fault: Fault) -> bool:
    healed = fault.event is FaultEvent.HEALED and "by" in fault.detail
    return healed or (fault.event is FaultEvent.FAILED and fault.detail.get("while") == "healing")


def _problems(fault: Fault) -> Iterator[Problem]:
    by = fault.detail.get("by")
    if by in WHO_SHOULD:
        return
    if fault.event is FaultEvent.FAILED:
        what = f"never ran again: {fault.detail.get('error')}"
    else:
        after = lasted(float(fault.detail.get("after", 0.0)))
        what = f"was not started again by its governor; {by} did it after {after}"
    yield Problem(
        0,
        fault.at,
        f"{fault.place}, killed by {fault.id}, {what} (at {moment(fault.at)})",
        (("place", fault.place),),
    )


CHECK = Check(
    name="brought-back",
    about="every process that a fault killed is started again by its governor, in time (a governor: by the harness)",
    judge=judge,
    sections=LASTING,
)
