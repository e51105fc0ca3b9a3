"""Bounds on the metrics of a run."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from harness.checks.base import Case
from harness.checks.evidence import Finding, Problem, conclude, lasted, many, moment, short
from harness.checks.verdict import Outcome
from harness.history.jobs import SUCCESS
from harness.history.records import Drop, Job, Operation, Step
from harness.history.series import Point, Series
from harness.scenario.model import Threshold
from harness.scenario.values import Unit


def judge(case: Case, threshold: Threshold, series: Series) -> Finding:
    """Compare one number of a metric with its bound; too few samples leave it unknown."""
    bound = threshold.expr
    if series.samples < max(threshold.min_samples, 1):
        few = f"{series.name} has {many(series.samples, 'sample')} of {threshold.min_samples} needed"
        return Finding(Outcome.UNKNOWN, series.samples, few)
    value = series.stat(bound.subject)
    if value is None:
        return Finding(
            Outcome.UNKNOWN, series.samples, f"{series.name} has no {bound.subject}; it has {series.stats}"
        )
    number = _number(bound.subject, series, value)
    told = f"{series.name} {bound.subject} is {number} of {many(series.samples, 'sample')}"
    problems = [] if bound.holds(value) else list(_offenders(case, threshold, series))
    missed = not bound.holds(value) and not problems
    return conclude(
        problems or ([Problem(0, case.history.end, told)] if missed else []),
        samples=series.samples,
        broken=f"{told}, expected {bound}",
        good=f"{told} ({bound})",
        nothing="",
    )


def _number(subject: str, series: Series, value: float) -> str:
    if subject == "count":
        return f"{value:g}"
    if series.is_share:
        return f"{value * 100:.3g}%"
    return f"{value:.4g}/s" if series.rate is not None else lasted(value)


def _offenders(case: Case, threshold: Threshold, series: Series) -> Iterator[Problem]:
    """The points that break the bound, the furthest off first; all that make up a share."""
    bound = threshold.expr
    for point in series.points:
        if series.is_share:
            yield Problem(0, point.begin, _text(case, point, ""))  # its value is a count, and no duration
        elif bound.unit is Unit.SECONDS and not bound.holds(point.value):
            high = bound.operator in ("<", "<=") or (bound.operator == "==" and point.value > bound.bound)
            rank = -point.value if high else point.value
            yield Problem(rank, point.begin, _text(case, point, f" took {lasted(point.value)}"), _data(point))


def _text(case: Case, point: Point, took: str) -> str:
    what, places = _what(case, point)
    took = f",{took}" if took and isinstance(point.record, Operation) else took
    return f"{what}{took}{case.around.during(point.begin, min(point.end, _over(case, point)), places)}"


def _what(case: Case, point: Point) -> tuple[str, tuple[str, ...]]:
    record = point.record
    match record:
        case Operation():
            ref = f" {short(record.ref)}" if record.ref else ""
            ended = f", ended as {record.status.value} ({record.error})" if record.error else _job_end(case, record)
            return f"{record.op}{ref} at {record.place or 'the target'}, due {moment(point.begin)}{ended}", (
                record.place,
            )
        case Job():
            outcome = f" ({record.outcome or 'no outcome'}{': ' + record.error if record.error else ''})"
            return f"job {short(record.job_id)} for {record.handler}, due {moment(point.begin)}{outcome}", (
                record.handler,
            )
        case Step():
            return f"{record.step} of cycle {record.cycle} at {moment(point.begin)} ({record.status.value})", ()
        case Drop():
            return f"an arrival of {record.workload} due {moment(point.begin)} was dropped", ()
    return f"{type(record).__name__} at {moment(point.begin)}", ()


def _over(case: Case, point: Point) -> float:
    """When the job behind the point was over: what came later did not make it fail."""
    story = case.book.stories.get(point.record.ref) if isinstance(point.record, Operation) else None
    return max((job.ended for job in story.log if job.ended is not None), default=inf) if story else inf


def _job_end(case: Case, operation: Operation) -> str:
    """How the job that the operation asked for came out, unless it went well."""
    story = case.book.stories.get(operation.ref)
    bad = [job for job in story.log if job.outcome not in ("", SUCCESS)] if story else []
    return "".join(f", job ended {job.outcome}: {job.error or 'no reason recorded'}" for job in bad[:1])


def _data(point: Point) -> tuple[tuple[str, object], ...]:
    return (("seconds", point.value),) if point.value != float("inf") else ()
