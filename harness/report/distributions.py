"""Distributions of what was measured in one run: a sorted list of seconds a metric, with its percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.history.records import Status, Step
from harness.report.series import nearest_rank, workloads

if TYPE_CHECKING:
    from harness.history.history import History
    from harness.scenario.model import Scenario

SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))


@dataclass(frozen=True)
class Distribution:
    """One metric's values in seconds, ascending. ``about`` says what was measured."""

    name: str
    values: Sequence[float]
    about: str = ""

    def at(self, share: float) -> float | None:
        """The exact nearest-rank percentile; None without values, or where a single value would stand for it
        twice over.

        A p99.9 of 200 values is their largest, which says less than it seems to; it is shown as None below 1
        / (1 - share) values.
        """
        if share < 1 and len(self.values) * (1 - share) < 1 - 1e-9 and share > 0.9:
            return None
        return nearest_rank(self.values, share)

    @property
    def mean(self) -> float | None:
        """The arithmetic mean."""
        return sum(self.values) / len(self.values) if self.values else None


def latencies(history: History) -> tuple[Distribution, ...]:
    """The latency of good answers of each workload: measured calls only, where the workload measured any."""
    found = []
    for workload in workloads(history):
        calls = history.operations(workload)
        counted = [o for o in calls if o.measured] or calls
        values = sorted(o.end - o.intended for o in counted if o.status is Status.OK)
        found.append(Distribution(f"{workload}.latency", values, "intended start to good answer"))
    return tuple(found)


def steps(history: History) -> tuple[Distribution, ...]:
    """How long each kind of step of the cycles took when it went well."""
    named: dict[str, list[float]] = {}
    for step in history.of(Step):
        values = named.setdefault(step.step.partition(" ")[0], [])
        if step.status is Status.OK:
            values.append(step.end - step.start)
    return tuple(
        Distribution(name, sorted(values), "begin to end of the step") for name, values in named.items()
    )


_MORE = {
    "completion": "intended start to the end of its job",
    "lateness": "scheduled time to start of the method",
}


def measured(history: History, scenario: Scenario) -> tuple[Distribution, ...]:
    """Completion and lateness of each workload of `scenario`, where the history knows of any."""
    from harness.history.metrics import metric

    found = []
    for workload in scenario.workload:
        for word, about in _MORE.items():
            values = sorted(point.value for point in metric(history, scenario, f"{workload.id}.{word}").points)
            if values:
                found.append(Distribution(f"{workload.id}.{word}", values, about))
    return tuple(found)
