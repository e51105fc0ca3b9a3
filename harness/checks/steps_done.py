"""Every step of every life cycle did what it should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.base import LASTING, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment
from harness.history.records import Status, Step

NAME = "steps-done"
"""The check's name. It is judged in every scenario with ``cycles``, whether it is written there or not: a step
that failed
ends its cycle, so without it such a run would prove less than it seems to.
"""


def judge(case: Case, args: None) -> Finding:
    """Read every `Step`; unknown when none was played, or none did anything: a wait alone does nothing, nor does a stop
    where nothing runs.
    """
    steps = case.history.of(Step)
    idle = [step for step in steps if step.detail.get("idle")]
    nothing_done = steps and all(step.step == "wait" or step in idle for step in steps)
    problems = [problem for step in steps if step.status is not Status.OK for problem in _problems(case, step)]
    return conclude(
        problems,
        samples=len(steps),
        broken=f"{len(problems)} of {many(len(steps), 'step')} failed",
        good=f"{many(len(steps), 'step')} did what they should{_of_which(idle)}",
        nothing="no step was played, so nothing was proven",
        doubts=[_nothing_done(steps[0], idle)] if nothing_done else (),
    )


def _of_which(idle: Sequence[Step]) -> str:
    return f"; where {many(len(idle), 'stop')} came nothing ran" if idle else ""


def _nothing_done(first: Step, idle: Sequence[Step]) -> Problem:
    return Problem(0, first.start, f"no step did anything{_of_which(idle)}, so nothing was proven")


def _problems(case: Case, step: Step) -> Iterator[Problem]:
    handler = f" {step.detail['handler']}" if step.detail.get("handler") else ""
    reason = step.detail.get("error") or (
        "it had to be forced" if step.detail.get("forced") else "no reason was given"
    )
    text = (
        f"cycle {step.cycle}: {step.step}{handler} at {moment(step.start)} came to {step.status.value} after "
        f"{lasted(step.end - step.start)}: {reason}"
    )
    yield Problem(0, step.start, text, (("cycle", step.cycle), ("step", step.step)))


CHECK = Check(name=NAME, about="every step of every cycle did what it should", judge=judge, sections=LASTING)
