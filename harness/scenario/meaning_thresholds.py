"""Whether the thresholds of a scenario are about something it measures, in a unit that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scenario.misfit import Misfit
from harness.scenario.problems import did_you_mean, one_of
from harness.scenario.values import Comparison, Unit
from harness.scenario.view import View
from harness.scenario.vocabulary import CYCLE_METRICS, WORKLOAD_METRICS, Measure

_PERCENTILE = re.compile(r"p[0-9]{1,2}(\.[0-9]+)?")
_STATISTICS = {
    Measure.DURATIONS: ("p50", "p90", "p99", "p99.9", "min", "max", "mean", "count"),
    Measure.RATIO: ("ratio", "count"),
    Measure.RATE: ("rate",),
}
_UNITS = {
    Measure.DURATIONS: (Unit.SECONDS, "a duration such as 400ms"),
    Measure.RATIO: (Unit.RATIO, "per cent, such as 1%"),
    Measure.RATE: (Unit.NUMBER, "a rate such as 9/s"),
}


def misfits(scenario: View) -> Iterator[Misfit]:
    """Everything wrong with ``thresholds``."""
    measured = _measured(scenario)
    for name, bounds in scenario.get("thresholds").entries():
        if name in measured:
            for bound in bounds.items():
                yield from _bound_misfits(bound, measured[name])
        else:
            hint = did_you_mean(name, measured)
            yield Misfit(
                f"nothing is measured as {name!r}",
                expected=_expected(name, measured),
                hint=hint,
                at=bounds.path,
                key=True,
            )


def _measured(scenario: View) -> dict[str, Measure]:
    """Every metric of this scenario by the name that a threshold gives it."""
    ids = [item.get("id").text for item in scenario.get("workload").items()]
    found = {
        f"{name}.{metric}": measure for name in ids if name for metric, measure in WORKLOAD_METRICS.items()
    }
    if scenario.get("cycles").data is not None:
        found.update(dict.fromkeys(CYCLE_METRICS, Measure.DURATIONS))
    return found


def _expected(name: str, measured: dict[str, Measure]) -> str:
    """The metrics of the workload that was named, if there is one: all of them would be too many to read."""
    workload = name.rpartition(".")[0]
    same = [known for known in measured if known.rpartition(".")[0] == workload]
    return one_of(same or measured)


def _bound_misfits(bound: View, measure: Measure) -> Iterator[Misfit]:
    expr = bound.get("expr") if isinstance(bound.data, dict) else bound
    try:
        comparison = Comparison.parse(expr.text or "")
    except ValueError:
        return  # its shape is wrong; that has been said
    known = _STATISTICS[measure]
    if comparison.subject not in known and not (
        measure is Measure.DURATIONS and _PERCENTILE.fullmatch(comparison.subject)
    ):
        named = (
            "no statistic is named"
            if comparison.subject == "value"
            else f"{comparison.subject!r} is no statistic of this"
        )
        yield Misfit(
            named,
            expected=one_of(known),
            found=expr.text,
            hint=did_you_mean(comparison.subject, known),
            at=expr.path,
        )
        return
    unit, words = (Unit.NUMBER, "a number") if comparison.subject == "count" else _UNITS[measure]
    if comparison.unit is not unit and comparison.bound != 0:
        yield Misfit("the bound is in the wrong unit", expected=words, found=expr.text, at=expr.path)
