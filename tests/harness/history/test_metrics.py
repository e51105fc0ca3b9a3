"""Metrics of literal histories."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import UsageError
from harness.history.history import History
from harness.history.metrics import metric
from harness.history.records import (
    AnyRecord,
    Drop,
    Edge,
    Execution,
    Header,
    Job,
    Operation,
    Phase,
    PhaseName,
    Status,
    Step,
)
from harness.history.series import Series
from harness.scenario.model import Scenario

Make = Callable[..., Any]
RUN = (
    Phase(at=0.0, name=PhaseName.RUN, edge=Edge.BEGIN),
    Phase(at=50.0, name=PhaseName.RUN, edge=Edge.END),
)


@pytest.fixture
def measure(scenario: Scenario) -> Callable[..., Series]:
    """Make a history of the records and take one metric of it."""

    def take(name: str, *records: AnyRecord) -> Series:
        return metric(History(Header(), [*RUN, *records]), scenario, name)

    return take


def values(series: Series) -> list[float]:
    """The durations of a series, to the microsecond."""
    return [round(point.value, 6) for point in series.points]


def test_latency_counts_from_the_intended_start_of_good_calls(measure: Make, operation: Make) -> None:
    """A call that began late because of a stall is as slow as its user saw it; failed ones have no latency."""
    stalled = operation(1.0, 4.0, start=3.9)
    failed = operation(2.0, 2.1, status=Status.FAIL)
    unknown = operation(2.0, 9.0, status=Status.INFO)

    series = measure("steady.latency", stalled, failed, unknown)

    assert values(series) == [3.0]
    assert series.points[0].record is stalled
    assert series.stat("max") == 3.0


def test_only_measured_operations_count_when_any_is(measure: Make, operation: Make) -> None:
    """Warm-up is left out; a workload that is never measured counts as a whole."""
    warm = operation(0.0, 9.0, measured=False)

    assert values(measure("steady.latency", warm, operation(10.0, 10.5))) == [0.5]
    assert values(measure("steady.latency", warm)) == [9.0]


def test_a_measured_stage_in_which_all_was_dropped_leaves_nothing(measure: Make, operation: Make) -> None:
    """Warm-up must not stand in for a measured stage that never got through."""
    warm = operation(0.0, 0.1, measured=False)
    drop = Drop(at=10.0, workload="steady", intended=10.0)

    assert measure("steady.latency", warm, drop).samples == 0
    assert measure("steady.dropped", warm, drop).stat("ratio") == 1.0


def test_errors_unknowns_and_drops_are_shares(measure: Make, operation: Make) -> None:
    """Errors and unknowns of all calls, drops of all arrivals."""
    records = [
        operation(1.0, 1.1),
        operation(2.0, 2.1),
        operation(3.0, 3.1, status=Status.FAIL),
        operation(4.0, 4.1, status=Status.INFO),
        Drop(at=5.0, workload="steady", intended=5.0),
        Drop(at=5.0, workload="other", intended=5.0),
    ]

    assert measure("steady.errors", *records).stat("ratio") == 0.25
    assert measure("steady.unknowns", *records).stat("ratio") == 0.25
    assert measure("steady.dropped", *records).stat("ratio") == 0.2
    assert measure("steady.dropped", *records).stat("count") == 1.0
    assert measure("steady.errors", *records).samples == 4


def test_completion_lasts_until_the_last_run_has_ended(
    measure: Make, operation: Make, run: Make, job: Make
) -> None:
    """A job that ran twice is complete when the second run ends; without runs the scheduler's log is asked."""
    records = [
        operation(1.0, 1.1, ref="a"),
        run("a", 1.2, 2.0),
        run("a", 3.0, 4.5),
        operation(2.0, 2.1, ref="b"),
        job("b", ended=6.0),
    ]

    assert values(measure("steady.completion", *records)) == [3.5, 4.0]


def test_a_job_that_never_completed_took_for_ever(measure: Make, operation: Make, run: Make) -> None:
    """Jobs that were lost must not make the others' completion look good."""
    records = [
        operation(1.0, 1.1, ref="a"),
        run("a", 1.2, None),
        operation(2.0, 2.1, ref="b"),
        run("b", 2.2, 3.0),
    ]

    assert values(measure("steady.completion", *records)) == [math.inf, 1.0]


def test_without_any_job_or_run_nothing_was_observed(measure: Make, operation: Make) -> None:
    """A target that records neither has no completion and no lateness, rather than infinite ones."""
    assert measure("steady.completion", operation(1.0, 1.1, ref="a")).samples == 0
    assert measure("steady.lateness", operation(1.0, 1.1, ref="a")).samples == 0


def test_lateness_of_scheduled_jobs_counts_from_when_they_were_due(
    measure: Make, operation: Make, run: Make, job: Make
) -> None:
    """Only jobs of this workload's schedules; the first run counts; what began early is negative."""
    added = operation(1.0, 1.1, ref="s1", workload="cron", op="schedule.add")
    records = [
        added,
        job("j1", schedule_id="s1", scheduled_for=5.0),
        run("j1", 5.25, 6.0),
        run("j1", 9.0, 9.5),
        job("j2", schedule_id="s1", scheduled_for=10.0),
        run("j2", 9.9, 10.0),
        job("j3", schedule_id="another", scheduled_for=10.0),
        run("j3", 20.0, 21.0),
    ]

    assert values(measure("cron.lateness", *records)) == [0.25, -0.1]


def test_lateness_of_direct_jobs_counts_from_their_acceptance(
    measure: Make, operation: Make, run: Make
) -> None:
    """The clock of a directly submitted job starts with the answer."""
    assert values(measure("steady.lateness", operation(1.0, 1.5, ref="a"), run("a", 2.0, 3.0))) == [0.5]


def test_a_job_that_was_due_and_never_started_is_late_for_ever(
    measure: Make, operation: Make, run: Make, job: Make
) -> None:
    """But not one that was deliberately not run, nor one that came due only after the run."""
    records = [
        operation(1.0, 1.1, ref="s1", workload="cron", op="schedule.add"),
        job("never", "", schedule_id="s1", scheduled_for=5.0),
        job("missed", "missed", schedule_id="s1", scheduled_for=10.0),
        job("too-late", "", schedule_id="s1", scheduled_for=50.5),
        run("unrelated", 1.0, 2.0),
    ]

    assert values(measure("cron.lateness", *records)) == [math.inf]


def test_job_errors_are_all_that_is_not_success(measure: Make, operation: Make, job: Make) -> None:
    """An error, a time-out, no outcome and no entry in the log each count; jobs of others do not."""
    records = [operation(1.0, 1.1, ref=ref) for ref in ("ok", "error", "timeout", "none", "forgotten")]
    records += [
        job("ok"),
        job("error", "error"),
        job("timeout", "timeout"),
        job("none", ""),
        job("stranger", "error"),
    ]

    series = measure("steady.job-errors", *records)

    assert (series.numerator, series.denominator) == (4, 5)
    assert series.stat("ratio") == 0.8


def test_the_rate_is_of_good_answers_over_the_measured_span(measure: Make, operation: Make) -> None:
    """Four good answers in two seconds are 2/s, whatever else was asked."""
    records = [operation(start, start + 0.5) for start in (10.0, 10.5, 11.0, 11.5)]
    records += [operation(11.0, 30.0, status=Status.INFO), operation(0.0, 0.1, measured=False)]

    assert measure("steady.rate", *records).stat("rate") == 2.0
    assert measure("steady.rate", operation(1.0, 2.0, status=Status.FAIL)).stat("rate") == 0.0
    assert measure("steady.rate").stat("rate") is None


def _step(word: str, start: float, end: float, status: Status = Status.OK) -> Step:
    return Step(at=end, cycle=1, step=word, start=start, end=end, status=status)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("start.ready", "start"),
        ("stop.exit", "stop"),
        ("restart.ready", "restart"),
        ("add.ready", "add h1"),
        ("remove.gone", "remove h1"),
    ],
)
def test_steps_of_cycles_are_durations(measure: Make, name: str, word: str) -> None:
    """Each kind of step has its metric, and one that went wrong took for ever."""
    records = [_step(word, 1.0, 3.5), _step(word, 5.0, 6.0, Status.FAIL), _step("other", 1.0, 2.0)]

    assert values(measure(name, *records)) == [2.5, math.inf]


def test_a_workload_named_like_a_step_comes_first(operation: Make) -> None:
    """What the scenario declares wins over the built-in name."""
    scenario = Scenario.model_validate(
        {
            "scenario": 1, "name": "x", "kind": "load", "target": {"driver": "any"},
            "workload": [{"id": "start", "op": "job.submit", "rate": "1/s", "for": "1s"}],
        }
    )  # fmt: skip

    with pytest.raises(UsageError, match=r"no metric 'start\.ready'"):
        metric(History(Header()), scenario, "start.ready")


@pytest.mark.parametrize("name", ["steady.speed", "latency", ".latency", ""])
def test_an_unknown_metric_is_answered_with_the_known_ones(measure: Make, name: str) -> None:
    """The message lists what there is."""
    with pytest.raises(UsageError, match=r"expected one of <workload>.latency, .*start.ready"):
        measure(name)


def test_a_series_has_only_the_numbers_of_its_kind(measure: Make, operation: Make) -> None:
    """A share has no percentiles, durations have no ratio, and an unknown name is None."""
    records = [operation(1.0, 1.5), operation(2.0, 2.5)]
    latency, errors = measure("steady.latency", *records), measure("steady.errors", *records)

    assert (latency.stat("count"), latency.stat("mean"), latency.stat("min")) == (2.0, 0.5, 0.5)
    assert latency.stat("p50") == pytest.approx(0.5, rel=0.001)
    assert [latency.stat(name) for name in ("ratio", "rate", "median")] == [None, None, None]
    assert [errors.stat(name) for name in ("p99", "max", "rate")] == [None, None, None]
    assert latency.summary.count == 2


def test_records_of_any_kind_may_be_absent(measure: Make) -> None:
    """An empty run gives empty series, and a share of nothing is no number."""
    assert measure("steady.errors").stat("ratio") is None
    assert measure("steady.latency").stat("p99") is None
    assert [kind for kind in (Execution, Job, Operation) if History(Header()).of(kind)] == []
