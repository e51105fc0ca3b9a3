"""What must come true within a time after a fault has healed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from harness.checks.base import Case
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment
from harness.history.history import History
from harness.history.records import Fault, FaultEvent, PhaseName, Sample
from harness.scenario.model import Expect
from harness.scenario.values import Comparison


class Window(NamedTuple):
    """The time from one heal to the moment by which all must be well."""

    begin: float
    end: float
    after: str
    place: str


def judge(case: Case, expect: Expect) -> Finding:
    """Look into the window after each heal that `expect.after` names (without it: after the run phase).

    Within a window the expectations must hold together at one moment. A window without samples, and one that
    the end of the history cut short before anything came true, leave the check unknown; so does a fault that
    never healed.
    """
    windows = list(_windows(case.history, expect))
    wanted = [sample for sample in case.history.of(Sample) if sample.name in expect.expect]
    problems, doubts = [], list(_unhealed(case, expect))
    for window in windows:
        seen = [sample for sample in wanted if window.begin <= sample.at <= window.end]
        if _came_true(seen, expect.expect):
            continue
        if not seen or _observed_until(case.history) < window.end:
            doubts.append(_doubt(window, seen, expect, case))
        else:
            problems.append(_broken(case, window, seen, expect))
    goal, heals = f"{_goal(expect)} within {lasted(expect.within)}", many(len(windows), "heal")
    return conclude(
        problems,
        samples=len(windows),
        broken=f"{goal} did not come true after {len(problems)} of {heals}",
        good=f"{goal} of each of {heals}",
        nothing=f"no {expect.after or 'end of the run'} was ever seen, so nothing was proven",
        doubts=doubts,
    )


def _goal(expect: Expect) -> str:
    return " and ".join(f"{name} {bound}" for name, bound in sorted(expect.expect.items()))


def _windows(history: History, expect: Expect) -> Iterator[Window]:
    if not expect.after:
        run = history.phase(PhaseName.RUN)
        if run:
            yield Window(run[1], run[1] + expect.within, "the end of the run", "")
        return
    heals = [fault for fault in history.of(Fault) if fault.event is FaultEvent.HEALED and _named(fault, expect)]
    for at, after, place in sorted({(fault.at, f"{fault.id}.heal", fault.place) for fault in heals}):
        yield Window(at, at + expect.within, after, place)


def _named(fault: Fault, expect: Expect) -> bool:
    return fnmatchcase(f"{fault.id}.heal", expect.after)


def _came_true(samples: list[Sample], expect: Mapping[str, Comparison]) -> bool:
    """Whether, with the newest value of each name and place, all expectations held at once.

    Two samples of one name, place and instant have no order: it is enough if either will do.
    """
    newest: dict[str, dict[str, tuple[float, bool]]] = {}
    for index, sample in enumerate(samples):
        places = newest.setdefault(sample.name, {})
        at, held = places.get(sample.place, (sample.at, False))
        places[sample.place] = (
            sample.at,
            expect[sample.name].holds(sample.value) or (held and at == sample.at),
        )
        instant_over = index + 1 == len(samples) or samples[index + 1].at > sample.at
        if (
            instant_over
            and len(newest) == len(expect)
            and all(ok for p in newest.values() for _, ok in p.values())
        ):
            return True
    return False


def _observed_until(history: History) -> float:
    """When the harness stopped looking."""
    phase = history.phase(PhaseName.SETTLE) or history.phase(PhaseName.RUN)
    return phase[1] if phase else history.end


def _last_seen(samples: list[Sample]) -> str:
    last = {(sample.name, sample.place): sample for sample in samples}
    parts = (
        f"{name}{f' at {place}' if place else ''} {sample.value:g} at {moment(sample.at)}"
        for (name, place), sample in sorted(last.items())
    )
    return ", ".join(parts)


def _broken(case: Case, window: Window, seen: list[Sample], expect: Expect) -> Problem:
    place = f" at {window.place}" if window.place else ""
    text = (
        f"after {window.after}{place} at {moment(window.begin)}, {_goal(expect)} did not hold by "
        f"{moment(window.end)}; last seen: {_last_seen(seen)}{case.around.during(window.begin, window.end)}"
    )
    return Problem(0, window.begin, text, (("after", window.after), ("deadline", window.end)))


def _doubt(window: Window, seen: list[Sample], expect: Expect, case: Case) -> Problem:
    after = f"after {window.after} at {moment(window.begin)}"
    if not seen:
        text = f"{after} nobody saw {' or '.join(sorted(expect.expect))} until {moment(window.end)}"
        return Problem(0, window.begin, text + case.around.during(window.begin, window.end))
    over = _observed_until(case.history)
    text = f"{after} {_goal(expect)} had until {moment(window.end)}, but the run ended at {moment(over)}"
    return Problem(1, window.begin, f"{text}; last seen: {_last_seen(seen)}")


def _unhealed(case: Case, expect: Expect) -> Iterator[Problem]:
    kept = {fault.id for fault in case.scenario.faults if fault.keep}
    for span in case.around.spans:
        meant = expect.after and span.id not in kept and fnmatchcase(f"{span.id}.heal", expect.after)
        if meant and span.end == float("inf"):
            yield Problem(0, span.begin, f"{span}, so what follows its heal was not seen")
