"""The metrics that a threshold may name, such as ``steady.latency`` or ``start.ready``.

``<workload>.<metric>`` for a workload's id, and ``<step>.<end>`` for the steps of a life cycle. Operations of
warm-up stages are left out as soon as any operation or drop of the workload is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from harness.errors import UsageError
from harness.history import job_metrics
from harness.history.history import History
from harness.history.records import Drop, Operation, Status, Step
from harness.history.series import NEVER, Point, Series, took

if TYPE_CHECKING:
    from harness.scenario.model import Scenario

STEPS: Mapping[str, str] = {
    "start.ready": "start",
    "stop.exit": "stop",
    "restart.ready": "restart",
    "add.ready": "add",
    "remove.gone": "remove",
    "bounce.ready": "bounce",
    "crash.ready": "crash",
}
"""Metrics of life cycles: how long each step of that name took. A step that went wrong took for ever."""

Operations = tuple[Operation, ...]
Drops = tuple[Drop, ...]
MeasuredT = TypeVar("MeasuredT", Operation, Drop)


def metric(history: History, scenario: Scenario, name: str) -> Series:
    """The numbers of one metric. Raises `UsageError` for a metric that does not exist, listing those that do.

    A workload of the name that the scenario declares comes before a step of a cycle.
    """
    owner, _, kind = name.rpartition(".")
    declared = any(workload.id == owner for workload in scenario.workload)
    if name in STEPS and not declared:
        return _steps(history, name)
    if not owner or kind not in METRICS:
        known = ", ".join([f"<workload>.{word}" for word in METRICS] + list(STEPS))
        raise UsageError(f"there is no metric {name!r}; expected one of {known}")
    operations, drops = _measured(history, owner)
    return METRICS[kind](name, history, operations, drops)


def _measured(history: History, workload: str) -> tuple[Operations, Drops]:
    operations = history.operations(workload)
    drops = tuple(drop for drop in history.of(Drop) if drop.workload == workload)
    if any(operation.measured for operation in operations) or any(drop.measured for drop in drops):
        return _only_measured(operations), _only_measured(drops)
    return operations, drops


def _only_measured(records: tuple[MeasuredT, ...]) -> tuple[MeasuredT, ...]:
    return tuple(record for record in records if record.measured)


def _steps(history: History, name: str) -> Series:
    word = STEPS[name]
    points = (
        Point(took(step.start, step.end) if step.status is Status.OK else NEVER, step.start, step.end, step)
        for step in history.of(Step)
        if step.step.partition(" ")[0] == word
    )
    return Series(name, tuple(points))


def _point(operation: Operation) -> Point:
    return Point(took(operation.intended, operation.end), operation.intended, operation.end, operation)


def _latency(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    return Series(name, tuple(_point(operation) for operation in operations if operation.status is Status.OK))


def _share(status: Status) -> Metric:
    def share(name: str, history: History, operations: Operations, drops: Drops) -> Series:
        points = tuple(_point(operation) for operation in operations if operation.status is status)
        return Series(name, points, numerator=len(points), denominator=len(operations))

    return share


def _dropped(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    points = tuple(Point(0.0, drop.intended, drop.intended, drop) for drop in drops)
    return Series(name, points, numerator=len(drops), denominator=len(drops) + len(operations))


def _rate(name: str, history: History, operations: Operations, drops: Drops) -> Series:
    """Good answers a second, from the first intended start to the last good answer."""
    answered = [operation for operation in operations if operation.status is Status.OK]
    points = tuple(_point(operation) for operation in answered)
    begin = min((operation.intended for operation in operations), default=0.0)
    span = max((operation.end for operation in answered), default=begin) - begin
    if operations and not answered:
        return Series(name, tuple(_point(operation) for operation in operations), rate=0.0)
    return Series(name, points, rate=len(answered) / span if span > 0 else None)


Metric = Callable[[str, History, Operations, Drops], Series]

METRICS: Mapping[str, Metric] = {
    "latency": _latency,
    "completion": job_metrics.completion,
    "lateness": job_metrics.lateness,
    "errors": _share(Status.FAIL),
    "unknowns": _share(Status.INFO),
    "dropped": _dropped,
    "job-errors": job_metrics.job_errors,
    "rate": _rate,
}
"""Metrics of a workload by their last word."""
