"""Parameters and results that belong to another request."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.checks.verdict import Outcome
from harness.history.records import Execution

CHECK = "no-reply-crosses-requests"


def _told(write: Any, job: str, start: float, *, params: str = "p", result: str = "") -> Execution:
    """A run of 100 ms whose handler told what it was given and answered."""
    run = write.run(job, start, start + 0.1)
    return Execution(
        **{name: getattr(run, name) for name in run.__struct_fields__ if name not in ("params", "result")},
        params=params,
        result=result or f"answer to {job}",
    )


def test_jobs_with_their_own_parameters_and_results_pass(result: Any, write: Any) -> None:
    """Also one that ran twice under one id, and the jobs of a schedule."""
    found = result(
        CHECK,
        write.op(1, "a", params="p"),
        _told(write, "a", 1.1),
        _told(write, "a", 1.5),
        write.job("a", result="answer to a"),
        write.op(2, "s", op="schedule.add", workload="cron", params="q"),
        _told(write, "b", 2.1, params="q"),
        write.job("b", schedule_id="s", result="answer to b"),
    )

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)
    assert found.summary == "parameters and results of 2 jobs are their own"


def test_the_result_of_another_request_is_named(result: Any, write: Any) -> None:
    """A late reply that was taken for another's."""
    found = result(
        CHECK,
        write.op(1, "a", params="p"),
        _told(write, "a", 1.1),
        write.job("a", result="answer to a", ended=1.3),
        write.op(2, "b", params="p"),
        _told(write, "b", 2.1),
        write.job("b", result="answer to a", ended=2.3),
    )

    assert found.outcome is Outcome.FAIL
    assert [e.text for e in found.evidence] == [
        "the stored result of job b, done at 2.300 s, is the answer to request a"
    ]


def test_a_result_that_nobody_answered_is_told(result: Any, write: Any) -> None:
    """It need not be another request's."""
    job = write.job("a", result="made up", ended=1.3)
    found = result(CHECK, write.op(1, "a", params="p"), _told(write, "a", 1.1), job, write.fault("late", 1.2, 1.4))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "the stored result of job a, done at 1.300 s, is what none of its runs answered; "
        "meanwhile: late (process.kill at h2) from 1.200 s to 1.400 s"
    )


def test_an_empty_result_of_a_run_that_answered_is_told(result: Any, write: Any) -> None:
    """Success without the answer is as wrong as with another's; a run that answered nothing owes no result."""
    asked = write.op(1, "a", params="p")
    found = result(CHECK, asked, _told(write, "a", 1.1), write.job("a", ended=1.3))

    assert found.outcome is Outcome.FAIL
    assert [e.text for e in found.evidence] == [
        "the stored result of job a, done at 1.300 s, is empty, but its run answered something (digest answer to a)"
    ]
    nothing = msgspec.structs.replace(_told(write, "a", 1.1), result="")
    assert result(CHECK, asked, nothing, write.job("a", ended=1.3)).outcome is Outcome.PASS


def test_other_parameters_than_those_asked_for_are_told(result: Any, write: Any) -> None:
    """Lost on the way, or another call's; for a job of a schedule those of the schedule count."""
    found = result(
        CHECK,
        write.op(1, "a", params="p"),
        _told(write, "a", 1.1, params="empty"),
        write.op(2, "s", op="schedule.add", workload="cron", params="q"),
        _told(write, "b", 2.1, params="p"),
        write.job("b", schedule_id="s", result="answer to b"),
    )

    assert found.outcome is Outcome.FAIL
    assert [e.text for e in found.evidence] == [
        "job a ran at h2 at 1.100 s with other parameters (digest empty) than those asked for at 1.000 s (p)",
        "job b ran at h2 at 2.100 s with other parameters (digest p) than those asked for at 2.000 s (q)",
    ]


def test_a_failed_job_owes_no_result(result: Any, write: Any) -> None:
    """Its handler may have answered when nobody listened any more."""
    late = [write.op(1, "a", params="p"), _told(write, "a", 1.1), write.job("a", "timeout", result="x")]

    assert result(CHECK, *late).outcome is Outcome.PASS


def test_handlers_that_tell_nothing_prove_nothing(result: Any, write: Any) -> None:
    """Those of other classes than the harness's own."""
    found = result(CHECK, write.op(1, "a", params="p"), write.run("a", 1.1, 1.2), write.job("a", result="x"))

    assert (found.outcome, found.samples) == (Outcome.UNKNOWN, 0)
