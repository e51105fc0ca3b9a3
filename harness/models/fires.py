"""What a schedule must, may and must never have fired for, given when it could be looked at.

A scheduler looks at a schedule when it is due, or as soon as it can after that. What has become due by then is one
batch: of it `Coalesce` says what is fired. A job that is begun later than its grace allows is not run any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.models.readiness import Gate, Window, window
from harness.models.triggers import Fire


class Coalesce(StrEnum):
    """Which of several times that became due together are fired."""

    EARLIEST = "earliest"
    LATEST = "latest"
    ALL = "all"


class Demand(StrEnum):
    """Whether something must have happened."""

    MUST = "must"
    MAY = "may"
    NEVER = "never"


@dataclass(frozen=True)
class Policy:
    """How a schedule treats times that it missed; `grace` and `jitter` in µs, no grace: never too late."""

    coalesce: Coalesce = Coalesce.LATEST
    grace: int | None = None
    jitter: int = 0


@dataclass(frozen=True)
class Expected:
    """One time of a schedule, whether there must be a job for it, and whether that job must have run.

    ``window`` is when the scheduler dealt with it; ``why`` says in words why the demand is not simply MUST.
    """

    at: int
    job: Demand
    run: Demand
    window: Window
    why: str = ""


def expected(fires: Sequence[Fire], gate: Gate, policy: Policy, lag: int, horizon: int) -> list[Expected]:
    """What was owed for each of `fires` (in order of time) up to `horizon`, by a scheduler that is `lag` µs late at
    most.

    `gate` says when the schedule could be looked at. Nothing that could be dealt with after the horizon is owed.
    """
    windows = [window(gate, fire.at, lag) for fire in fires]
    found = []
    for index, fire in enumerate(fires):
        job, why = _job(fires, windows, index, policy.coalesce, horizon)
        run = job if job is not Demand.MUST else _run(fire.at, windows[index], policy)
        if job is Demand.MAY and _run(fire.at, windows[index], policy) is Demand.NEVER:
            run = Demand.NEVER
        found.append(Expected(fire.at, job, run, windows[index], why))
    return found


def _job(
    fires: Sequence[Fire], windows: Sequence[Window], index: int, coalesce: Coalesce, horizon: int
) -> tuple[Demand, str]:
    mine = windows[index]
    if mine.earliest is None:
        return Demand.NEVER, "the schedule was not looked at any more"
    swallowed = _swallowed(fires, windows, index, coalesce)
    if swallowed is Demand.MUST:
        return Demand.NEVER, f"it became due together with others, of which the {coalesce.value} is fired"
    if swallowed is Demand.MAY:
        return Demand.MAY, "it may have become due together with others"
    if not fires[index].sure:
        return Demand.MAY, "the clocks skipped it"
    if mine.latest is None or mine.latest > horizon:
        return Demand.MAY, "there may not have been time for it"
    return Demand.MUST, ""


def _swallowed(fires: Sequence[Fire], windows: Sequence[Window], index: int, coalesce: Coalesce) -> Demand:
    """Whether another time of the same batch is fired in the place of this one."""
    if coalesce is Coalesce.LATEST:
        return _together(fires[index], windows[index], fires, index + 1)
    if coalesce is Coalesce.EARLIEST and index:
        before = [_together(fires[other], windows[other], fires, index, index + 1) for other in _back(fires, index)]
        if Demand.MUST in before:
            return Demand.MUST
        return Demand.MAY if Demand.MAY in before else Demand.NEVER
    return Demand.NEVER


def _back(fires: Sequence[Fire], index: int) -> range:
    """The times before this one that can matter: back to the last that is sure to exist."""
    first = index - 1
    while first > 0 and not fires[first].sure:
        first -= 1
    return range(first, index)


def _together(fire: Fire, when: Window, fires: Sequence[Fire], begin: int, end: int | None = None) -> Demand:
    """Whether one of ``fires[begin:end]`` was due when `fire` was dealt with."""
    surely = possibly = False
    for other in fires[begin:end]:
        if when.earliest is not None and when.earliest >= other.at:
            surely |= other.sure and fire.sure
            possibly = True
        elif when.latest is None or when.latest >= other.at:
            possibly = True
        else:
            break
        if surely:
            return Demand.MUST
    return Demand.MAY if possibly else Demand.NEVER


def _run(at: int, when: Window, policy: Policy) -> Demand:
    """Whether the job for `at` is begun in time for its grace."""
    if policy.grace is None:
        return Demand.MUST
    if when.earliest is not None and when.earliest > at + policy.jitter + policy.grace:
        return Demand.NEVER
    return Demand.MUST if when.latest is not None and when.latest <= at + policy.grace else Demand.MAY
