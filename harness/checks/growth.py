"""What may not grow from one life cycle to the next: memory, descriptors, threads, files.

The growth of a series is the larger of two robust estimates, each relative to its median: the Theil-Sen slope
(the median of the slopes between all pairs, which single outliers cannot move), and, from `LONG` cycles on, the
slope from the median of the first fifth to that of the last, which sees a leak that only begins late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median

from pydantic import Field

from harness.checks.base import Args, Case, Check, Section
from harness.checks.evidence import Finding, Problem, conclude, many
from harness.history.records import Sample, Step
from harness.scenario.values import Comparison, Unit

FEWEST = 10
"""Cycles below which no growth can be told from noise."""
LONG = 50
"""Cycles from which on the two ends are compared as well."""
MOST = 400
"""Cycles that the quadratic fit looks at; of more, evenly spread ones are taken."""

Line = Sequence[tuple[int, float]]


class Growth(Args):
    """Which samples may grow how much per cycle: ``< 0.1%`` is relative to the median, ``<= 0.5`` absolute."""

    of: tuple[str, ...] = Field(min_length=1)
    per_cycle: Comparison


def judge(case: Case, args: Growth) -> Finding:
    """Fit every series of samples (one for each name and place) over the cycles in which they were taken."""
    lines = {name: _lines(case, name) for name in args.of}
    long_enough = [
        (name, place, line) for name in args.of for place, line in lines[name] if len(line) >= FEWEST
    ]
    problems = [
        problem for name, place, line in long_enough for problem in _grown(name, place, line, args.per_cycle)
    ]
    return conclude(
        problems,
        samples=sum(len(line) for _, _, line in long_enough),
        broken=f"{len(problems)} of {many(len(long_enough), 'series', 'series')} grow from cycle to cycle",
        good=f"{many(len(long_enough), 'series', 'series')} stay level ({args.per_cycle} per cycle)",
        nothing="nothing was sampled over cycles, so nothing was proven",
        doubts=list(_doubts(case, lines)),
    )


def _lines(case: Case, name: str) -> list[tuple[str, list[tuple[int, float]]]]:
    """For each place the median of a cycle's samples, by cycle."""
    starts: dict[int, float] = {}
    for step in case.history.of(Step):
        starts[step.cycle] = min(step.start, starts.get(step.cycle, step.start))
    cycles = sorted((start, cycle) for cycle, start in starts.items())
    found: dict[str, dict[int, list[float]]] = {}
    for sample in case.history.of(Sample):
        index = bisect_right(cycles, (sample.at, float("inf"))) - 1
        if sample.name == name and index >= 0:
            found.setdefault(sample.place, {}).setdefault(cycles[index][1], []).append(sample.value)
    return [
        (place, [(cycle, median(values)) for cycle, values in sorted(by_cycle.items())])
        for place, by_cycle in sorted(found.items())
    ]


def growth(line: Line) -> float:
    """Growth per cycle in the samples' own unit.

    >>> growth([(cycle, 100.0 + cycle) for cycle in range(20)])
    1.0
    """
    step = len(line) / min(len(line), MOST)
    some = [line[int(index * step)] for index in range(min(len(line), MOST))]
    slopes = [(later - earlier) / (b - a) for (a, earlier), (b, later) in combinations(some, 2)]
    return median(slopes) if len(line) < LONG else max(median(slopes), _between_ends(line))


def _between_ends(line: Line) -> float:
    fifth = len(line) // 5
    (begin, low), (end, high) = _middle(line[:fifth]), _middle(line[-fifth:])
    return (high - low) / (end - begin)


def _middle(line: Line) -> tuple[float, float]:
    return median(cycle for cycle, _ in line), median(value for _, value in line)


def _grown(name: str, place: str, line: Line, bound: Comparison) -> Iterator[Problem]:
    slope = growth(line)
    level = median(value for _, value in line)
    relative = slope / level if level else (float("inf") if slope > 0 else 0.0)
    measure = relative if bound.unit is Unit.RATIO else slope
    if bound.holds(measure):
        return
    where = f" of {place}" if place else ""
    share = f"{relative * 100:.3g}%" if level else ""
    text = (
        f"{name}{where} grows by {slope:.4g} ({share or 'from nothing'}) per cycle over {len(line)} cycles: "
        f"{line[0][1]:.6g} in cycle {line[0][0]}, {line[-1][1]:.6g} in cycle {line[-1][0]}; allowed {bound}"
    )
    yield Problem(-measure, 0.0, text, (("name", name), ("place", place), ("per_cycle", slope)))


def _doubts(case: Case, lines: dict[str, list[tuple[str, list[tuple[int, float]]]]]) -> Iterator[Problem]:
    cycles = len({step.cycle for step in case.history.of(Step)})
    for name, found in lines.items():
        longest = max((len(line) for _, line in found), default=0)
        if longest < FEWEST:
            text = f"{name} was sampled in {longest} of {many(cycles, 'cycle')}; growth shows from {FEWEST} on"
            yield Problem(longest, 0.0, text)


CHECK = Check(
    name="growth",
    about="what is sampled in every cycle (rss, fds, threads, tmp-files) does not grow from cycle to cycle",
    judge=judge,
    args=Growth,
    sections=frozenset({Section.FINALLY}),
)
