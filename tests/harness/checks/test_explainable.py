"""Runs that somebody asked for."""

from __future__ import annotations

from typing import Any

from harness.checks.verdict import Outcome
from harness.history.records import Status

CHECK = "history-explainable"


def test_runs_of_jobs_that_were_asked_for_are_explained(result: Any, write: Any) -> None:
    """By an acceptance or by the scheduler's log."""
    found = result(CHECK, write.op(1, "a"), write.run("a", 1, 2), write.job("b"), write.run("b", 3, 4))

    assert found.outcome is Outcome.PASS
    assert found.samples == 2


def test_a_run_that_nobody_asked_for_cannot_be_explained(result: Any, write: Any) -> None:
    """The evidence names handler, job, method and time."""
    found = result(CHECK, write.op(1, "a"), write.run("ghost", 5.0, 6.0, handler="h3"))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "h3 ran ghost (work) at 5.000 s, but nobody asked for it"


def test_an_unanswered_call_may_explain_one_job(result: Any, write: Any) -> None:
    """Whether it took effect is unknown: it explains one stranger, not two."""
    one = [write.op(1, status=Status.INFO), write.run("x", 2, 3), write.run("x", 8, 9)]
    two = [*one, write.run("y", 4, 5)]

    assert result(CHECK, *one).outcome is Outcome.PASS
    assert result(CHECK, *two).outcome is Outcome.FAIL


def test_a_refused_job_that_ran_cannot_be_explained(result: Any, write: Any) -> None:
    """The caller was told no."""
    refused = write.op(1, "a", status=Status.FAIL, error="409 taken")
    found = result(CHECK, refused, write.job("a"), write.run("a", 2, 3))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "job a was refused at 1.000 s (409 taken), but h2 ran it at 2.000 s"


def test_a_job_that_ran_elsewhere_cannot_be_explained(result: Any, write: Any) -> None:
    """A job is for one handler."""
    found = result(CHECK, write.op(1, "a"), write.job("a", handler="h1"), write.run("a", 2, 3, handler="h5"))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "job a for h1 ran at h5 at 2.000 s"


def test_no_runs_are_unknown(result: Any, write: Any) -> None:
    """Nothing to explain proves nothing; nor does a journal that could not be read."""
    assert result(CHECK, write.op(1, "a")).outcome is Outcome.UNKNOWN
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")
    assert result(CHECK, blind, write.op(1, "a"), write.run("a", 1, 2)).outcome is Outcome.UNKNOWN
