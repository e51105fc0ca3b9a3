"""Runs that somebody asked for."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Job, Status

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


def test_a_job_that_ran_where_the_log_says_but_the_caller_did_not_cannot_be_explained(
    result: Any, write: Any
) -> None:
    """A scheduler that writes down the wrong handler is not excused by having run the job there."""
    found = result(
        CHECK, write.op(1, "a", place="h1"), write.job("a", handler="h5"), write.run("a", 2, 3, handler="h5")
    )

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == "job a asked for at h1 (accepted at 1.000 s) ran at h5 at 2.000 s"


def test_a_job_of_a_schedule_is_for_the_handler_that_the_schedule_was_added_for(
    result: Any, write: Any
) -> None:
    """The call that added the schedule names it."""
    added = write.op(1, "s1", workload="cron", op="schedule.add", place="h1")
    here = [write.job("a", handler="h1", schedule_id="s1"), write.run("a", 2, 3, handler="h1")]
    there = [write.job("b", handler="h2", schedule_id="s1"), write.run("b", 7, 8, handler="h2")]

    assert result(CHECK, added, here).outcome is Outcome.PASS
    found = result(CHECK, added, here, there)
    assert [item.text for item in found.evidence] == [
        "job b asked for at h1 (accepted at 1.000 s) ran at h2 at 7.000 s"
    ]


@pytest.mark.parametrize("place", ["", "h*", "h?", "h[12]"])
def test_a_place_that_is_no_one_handler_demands_none(result: Any, write: Any, place: str) -> None:
    """A glob leaves the choice to the target."""
    found = result(CHECK, write.op(1, "a", place=place), write.run("a", 2, 3, handler="h5"))

    assert found.outcome is Outcome.PASS


def test_a_run_of_another_method_cannot_be_explained(result: Any, write: Any) -> None:
    """Job, both methods, handler and time are told; where one of the two is unknown nothing is said."""
    job = Job(at=70.0, job_id="a", handler="h2", method="tick", outcome="success")
    nameless = Job(at=70.0, job_id="a", handler="h2", method="", outcome="success")

    found = result(CHECK, job, write.run("a", 2, 3))
    assert found.outcome is Outcome.FAIL
    assert [item.text for item in found.evidence] == ["job a for the method tick ran work at h2 at 2.000 s"]
    assert result(CHECK, nameless, write.run("a", 2, 3)).outcome is Outcome.PASS


def test_an_error_of_which_every_run_went_well_cannot_be_explained(result: Any, write: Any) -> None:
    """The log claims a failure that no handler saw."""
    found = result(CHECK, write.job("a", "error", ended=3.5), write.run("a", 2, 3))

    assert found.outcome is Outcome.FAIL
    assert [item.text for item in found.evidence] == [
        "job a is recorded as error at 3.500 s, but its run ended ok at h2 from 2.000 s to 3.000 s"
    ]


def test_a_success_of_which_every_finished_run_failed_cannot_be_explained(result: Any, write: Any) -> None:
    """A run that never ended is no success either."""
    runs = [write.run("a", 2, 3, outcome="error"), write.run("a", 4, 5, outcome="error")]
    found = result(CHECK, write.job("a", "success"), runs, write.run("a", 6, outcome=""))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "job a is recorded as success, but all its 2 finished runs ended error at h2 from 2.000 s to 3.000 s, "
        "error at h2 from 4.000 s to 5.000 s"
    )


def test_a_success_recorded_before_its_run_succeeded_cannot_be_explained(result: Any, write: Any) -> None:
    """The scheduler said so before any handler could have told it; a tenth of a second is left to the clocks."""
    found = result(CHECK, write.job("a", "success", ended=2.5), write.run("a", 2, 3))

    assert found.outcome is Outcome.FAIL
    assert [item.text for item in found.evidence] == [
        "job a is recorded as success at 2.500 s, when none of its runs had succeeded: "
        "h2 began it at 2.000 s and ended ok at 3.000 s"
    ]
    assert result(CHECK, write.job("a", "success", ended=2.95), write.run("a", 2, 3)).outcome is Outcome.PASS


def test_outcomes_that_agree_with_one_of_the_runs_are_explained(result: Any, write: Any) -> None:
    """A retry may do better or worse than the run before; a time-out tells nothing of what the handler saw."""
    both = [write.run("a", 2, 3), write.run("a", 4, 5, outcome="error")]
    unfinished = [write.run("a", 2, 3), write.run("a", 4, outcome="")]

    assert result(CHECK, write.job("a", "error"), both).outcome is Outcome.PASS
    assert result(CHECK, write.job("a", "success"), both).outcome is Outcome.PASS
    assert result(CHECK, write.job("a", "error"), unfinished).outcome is Outcome.PASS
    assert result(CHECK, write.job("a", "timeout"), write.run("a", 2, 3)).outcome is Outcome.PASS


def test_outcomes_are_not_compared_where_runs_may_be_missing(result: Any, write: Any) -> None:
    """The run that explains the outcome may be one that was not collected or that carried no id."""
    wrong = [write.job("a", "error"), write.run("a", 2, 3)]
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")

    assert result(CHECK, wrong, blind).outcome is Outcome.UNKNOWN
    assert not [e for e in result(CHECK, wrong, write.run("", 4, 5)).evidence if "recorded as" in e.text]


def test_no_runs_are_unknown(result: Any, write: Any) -> None:
    """Nothing to explain proves nothing; nor does a journal that could not be read."""
    assert result(CHECK, write.op(1, "a")).outcome is Outcome.UNKNOWN
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")
    assert result(CHECK, blind, write.op(1, "a"), write.run("a", 1, 2)).outcome is Outcome.UNKNOWN
