"""Every stop of a life cycle ended by itself, in time, with exit code 0, and so did every process that it ended."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.base import AFTER_STOP, Case, Check
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment
from harness.history.records import Status, Step
from harness.history.stops import ill_ends, unseen_ends


def judge(case: Case, args: None) -> Finding:
    """Read every ``stop`` step; its detail says ``how``, the exit ``code``, if it was ``forced``, and the same of each
    of its ``parts``, where the target keeps processes of its own (see `harness.history.stops`).

    A stop by kill has no exit code to keep, and one where nothing ran has ended nothing. A stop of which nobody saw an
    exit code leaves the check unknown.
    """
    steps = [step for step in case.history.of(Step) if step.step.partition(" ")[0] == "stop"]
    stops = [step for step in steps if not step.detail.get("idle")]
    problems = [problem for step in stops for problem in _problems(case, step)]
    return conclude(
        problems,
        samples=len(stops),
        broken=f"{len({problem.data for problem in problems})} of {many(len(stops), 'stop')} went wrong",
        good=f"{many(len(stops), 'stop')} ended cleanly",
        nothing="nothing was stopped, so nothing was proven",
        doubts=[doubt for step in stops if not _killed(step) for doubt in _doubts(step)],
    )


def _killed(step: Step) -> bool:
    return bool(step.detail.get("how") == "kill")


def _problems(case: Case, step: Step) -> Iterator[Problem]:
    code = step.detail.get("code")
    what = []
    if step.status is not Status.OK:
        reason = step.detail.get("error")
        what.append(f"came to {step.status.value}" + (f" ({reason})" if reason else ""))
    if not _killed(step):
        what += ["had to be forced"] if step.detail.get("forced") else []
        what += [f"ended with exit code {code} instead of 0"] if code not in (0, None) else []
    parts = [] if _killed(step) else ill_ends(step.detail)
    if what or parts:
        text = f"the stop of cycle {step.cycle} by {step.detail.get('how', 'term')} at {moment(step.start)} "
        text += f"{' and '.join(what) or 'ended'} after {lasted(step.end - step.start)}"
        text += f": {', '.join(parts)}" if parts else ""
        yield Problem(0, step.start, text + case.around.during(step.start, step.end), (("cycle", step.cycle),))


def _doubts(step: Step) -> Iterator[Problem]:
    who = [] if step.detail.get("code") is not None else [""]
    for name in [*who, *unseen_ends(step.detail)]:
        what = f"exit code of {name} in" if name else "exit code of"
        yield Problem(0, step.start, f"nobody saw the {what} the stop of cycle {step.cycle} at {moment(step.start)}")


CHECK = Check(
    name="stopped-cleanly",
    about="every stop, with every process that it ends, ends by itself with exit code 0, unless it was a kill",
    judge=judge,
    sections=AFTER_STOP,
)
