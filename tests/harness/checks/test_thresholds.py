"""Bounds on metrics."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Drop, Status


def test_a_bound_that_holds_passes_with_its_number(threshold: Any, write: Any) -> None:
    """The summary gives the number, the samples and the bound."""
    found = threshold("steady.latency", "max < 400ms", write.op(1), write.op(2))

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)
    assert found.name == "steady.latency max < 400ms"
    assert found.summary == "steady.latency max is 100 ms of 2 samples (max < 400ms)"


def test_a_broken_bound_shows_the_worst_offenders_under_their_faults(threshold: Any, write: Any) -> None:
    """The slowest first, with place, time and the fault that lay over it."""
    slow = [write.op(10.0 + n, f"j{n}", intended=9.0) for n in range(3)]
    found = threshold(
        "steady.latency",
        "p99 < 400ms",
        write.op(1),
        *slow,
        write.fault("hang", 8.5, 11.0, kind="process.pause"),
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "steady.latency p99 is 3 s of 4 samples, expected p99 < 400ms"
    assert [e.text.split(";")[0] for e in found.evidence] == [
        "job.submit j2 at h2, due 9.000 s, took 3 s",
        "job.submit j1 at h2, due 9.000 s, took 2 s",
        "job.submit j0 at h2, due 9.000 s, took 1 s",
    ]
    assert found.evidence[0].text.endswith("meanwhile: hang (process.pause at h2) from 8.500 s to 11.000 s")


def test_a_share_shows_what_makes_it_up(threshold: Any, write: Any) -> None:
    """The failed calls with their errors."""
    failed = write.op(5.0, status=Status.FAIL, error="503 store locked")
    found = threshold("steady.errors", "ratio < 1%", write.op(1), failed)

    assert found.outcome is Outcome.FAIL
    assert found.summary == "steady.errors ratio is 50% of 2 samples, expected ratio < 1%"
    assert found.evidence[0].text == "job.submit at h2, due 4.900 s, ended as fail (503 store locked)"
    assert found.evidence[0].data == {}, "what makes up a share is no length of time"


@pytest.mark.parametrize(
    ("metric", "bound", "outcome"),
    [
        ("steady.dropped", "ratio < 60%", Outcome.PASS),
        ("steady.dropped", "ratio < 50%", Outcome.FAIL),
        ("steady.dropped", "count <= 1", Outcome.PASS),
        ("steady.rate", "rate > 5/s", Outcome.PASS),
        ("steady.rate", "rate > 20/s", Outcome.FAIL),
        ("steady.latency", "min >= 100ms", Outcome.PASS),
        ("steady.latency", "min > 1s", Outcome.FAIL),
        ("steady.latency", "count == 1", Outcome.PASS),
    ],
)
def test_every_kind_of_number_can_be_bounded(
    threshold: Any, write: Any, metric: str, bound: str, outcome: Outcome
) -> None:
    """Shares, counts, rates and least values, from both sides; a failure always has evidence."""
    found = threshold(metric, bound, write.op(1), Drop(at=2, workload="steady", intended=2))

    assert found.outcome is outcome
    assert bool(found.evidence) is (outcome is Outcome.FAIL)


def test_too_few_samples_are_unknown(threshold: Any, write: Any) -> None:
    """Even where the number would be good, and even where it would be bad."""
    bound = {"expr": "max < 400ms", "min_samples": 3}

    found = threshold("steady.latency", bound, write.op(1), write.op(2))
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "steady.latency has 2 samples of 3 needed"
    assert threshold("steady.latency", bound, write.op(1, intended=0.0)).outcome is Outcome.UNKNOWN
    assert threshold("steady.latency", "max < 400ms").outcome is Outcome.UNKNOWN


def test_a_number_that_the_metric_does_not_have_is_unknown(threshold: Any, write: Any) -> None:
    """A share has no percentiles: the summary says what it has."""
    found = threshold("steady.errors", "p99 < 1s", write.op(1))

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "steady.errors has no p99; it has ratio, count"


def test_steps_that_went_wrong_break_the_maximum(threshold: Any, write: Any) -> None:
    """A start that never got ready took for ever, and is told by its cycle."""
    found = threshold(
        "start.ready", "max < 3s", write.step(1, "start"), write.step(2, "start", status=Status.FAIL)
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "start.ready max is for ever of 2 samples, expected max < 3s"
    assert found.evidence[0].text == "start of cycle 2 at 20.000 s (fail) took for ever"


def test_late_jobs_are_named(threshold: Any, write: Any) -> None:
    """With handler, due time and outcome."""
    records = [
        write.op(1, "s1", workload="cron", op="schedule.add"),
        write.job("j1", schedule_id="s1", scheduled_for=5.0),
        write.run("j1", 6.5, 7.0),
    ]
    found = threshold("cron.lateness", "p99 < 250ms", *records)

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "job j1 for h2, due 5.000 s (success) took 1.5 s"
