"""Jobs that must not be lost."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Status

CHECK = "no-lost-job"


def test_jobs_with_one_outcome_each_are_not_lost(result: Any, write: Any) -> None:
    """Whatever the outcome is: an error that was recorded is no loss."""
    found = result(
        CHECK,
        write.op(1, "a"),
        write.job("a"),
        write.run("a", 1.1, 1.2),
        write.op(2, "b"),
        write.job("b", "timeout"),
    )

    assert found.outcome is Outcome.PASS
    assert found.samples == 2
    assert found.summary == "all 2 jobs (2 accepted directly) have exactly one outcome: 1 success, 1 timeout"
    assert found.evidence == ()


def test_an_accepted_job_without_outcome_is_lost(result: Any, write: Any) -> None:
    """The evidence says who accepted what and when, which handler had it, and which fault struck meanwhile."""
    job = "3f2a9c51-77ad-4f0e-9b1e-0c6d2b5c8a11"
    found = result(CHECK, write.op(12.031, job), write.job(job, ""), write.fault("crash", 12.1, 20.1))

    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 of 1 job without an outcome"
    (evidence,) = found.evidence
    assert evidence.text == (
        "job 3f2a9c51… accepted at 12.031 s (workload steady, handler h2) has no outcome, "
        "and no handler ran it; "
        "meanwhile: crash (process.kill at h2) from 12.100 s to 20.100 s"
    )
    assert (evidence.at, evidence.data["job"]) == (12.031, job)


def test_an_empty_log_loses_every_accepted_job(result: Any, write: Any) -> None:
    """A scheduler that forgets everything is not excused by having nothing to show."""
    found = result(CHECK, write.op(1, "a"), write.op(2, "b"))

    assert found.outcome is Outcome.FAIL
    assert found.samples == 2
    assert [evidence.text for evidence in found.evidence] == [
        f"job {job} accepted at {at}.000 s (workload steady, handler h2) has no outcome: "
        "the scheduler's log does not know it, and no handler ran it"
        for job, at in (("a", 1), ("b", 2))
    ]


def test_a_job_that_a_handler_began_and_nobody_finished_is_lost(result: Any, write: Any) -> None:
    """That a handler ran it is told, but the outcome is what was promised."""
    found = result(CHECK, write.op(1, "a"), write.run("a", 1.5))

    assert found.outcome is Outcome.FAIL
    assert "though h2 began it at 1.500 s and it never ended" in found.evidence[0].text


def test_a_success_that_no_handler_ran_is_hollow(result: Any, write: Any) -> None:
    """A scheduler that claims success without calling anyone breaks the promise."""
    found = result(
        CHECK, write.op(1, "a"), write.job("a"), write.op(2, "b"), write.job("b"), write.run("b", 2, 3)
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 success that no handler ran"
    assert "job a accepted at 1.000 s" in found.evidence[0].text
    assert "is recorded as success, but no handler ran it" in found.evidence[0].text


def test_a_success_whose_every_run_failed_is_a_contradiction(result: Any, write: Any) -> None:
    """What the handler saw counts more than what the scheduler says."""
    found = result(CHECK, write.op(1, "a"), write.job("a"), write.run("a", 1, 2, outcome="error"))

    assert found.outcome is Outcome.FAIL
    assert "every run ended in an error" in found.evidence[0].text


def test_a_success_recorded_before_any_run_had_succeeded_is_told(result: Any, write: Any) -> None:
    """A handler that finishes later, or never, did not make it a success; what else it did is named."""
    early = [write.op(1, "a"), write.job("a", ended=2.0), write.run("a", 1.1, 3.0)]
    never = [write.op(4, "b"), write.job("b", ended=5.0), write.run("b", 4.1, None, outcome="")]
    failed = [write.run("b", 4.5, 4.7, outcome="error")]
    found = result(CHECK, *early, *never, *failed)

    assert (found.outcome, found.summary) == (Outcome.FAIL, "2 successes before any run had succeeded")
    assert [evidence.text for evidence in found.evidence] == [
        "job a accepted at 1.000 s (workload steady, handler h2) is recorded as success at 2.000 s, when none of its "
        "runs had succeeded: h2 began it at 1.100 s and ended ok at 3.000 s",
        "job b accepted at 4.000 s (workload steady, handler h2) is recorded as success at 5.000 s, when none of its "
        "runs had succeeded: h2 began it at 4.100 s and never ended it, "
        "h2 began it at 4.500 s and ended error at 4.700 s",
    ]


@pytest.mark.parametrize(
    ("ended", "started"),
    [(3.0, 1.0), (2.901, 1.0), (1.0, -0.5), (None, None)],
    ids=["in time", "clocks that disagree a little", "a clock that was set", "no time recorded"],
)
def test_a_success_that_a_run_explains_is_none_too_early(
    result: Any, write: Any, ended: float | None, started: float | None
) -> None:
    """One good run by then is enough, and a time that cannot be compared accuses nobody."""
    runs = [write.run("a", 1.1, None, outcome=""), write.run("a", 2.0, 3.0)]

    assert result(CHECK, write.op(1, "a"), write.job("a", ended=ended, started=started), runs).outcome is Outcome.PASS


def test_runs_that_name_no_job_may_be_what_made_it_a_success(result: Any, write: Any) -> None:
    """Then nobody can say that none had succeeded by then."""
    early = [write.op(1, "a"), write.job("a", ended=2.0), write.run("a", 1.1, 3.0)]

    assert result(CHECK, *early, write.run("", 1.2, 1.9)).outcome is Outcome.PASS


def test_two_different_outcomes_are_a_contradiction(result: Any, write: Any) -> None:
    """Exactly one outcome is promised; the same one recorded twice is still one."""
    contradicting = [write.op(1, "a"), write.job("a"), write.job("a", "timeout"), write.run("a", 1, 2)]
    agreeing = [write.op(1, "a"), write.job("a"), write.job("a"), write.run("a", 1, 2)]

    assert result(CHECK, *contradicting).outcome is Outcome.FAIL
    assert "has 2 outcomes: success, timeout" in result(CHECK, *contradicting).evidence[0].text
    assert result(CHECK, *agreeing).outcome is Outcome.PASS


def test_jobs_of_schedules_count_when_they_were_due_in_the_run(result: Any, write: Any) -> None:
    """A job that came due after the run may be under way when it ends; one that came due before may not."""
    late = write.job("late", "", schedule_id="s", scheduled_for=61.0)
    due = write.job("due", "", schedule_id="s", scheduled_for=30.0)

    assert result(CHECK, late).outcome is Outcome.UNKNOWN
    found = result(CHECK, late, due)
    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "job due due at 30.000 s (schedule s, handler h2) has no outcome, and no handler ran it"
    )
    assert len(found.evidence) == 1


def test_a_job_of_a_call_that_was_never_answered_owes_no_outcome(result: Any, write: Any) -> None:
    """Such a job may come to an outcome; what is owed is the outcome of the one that was accepted."""
    accepted = [write.op(1, "a"), write.job("a"), write.run("a", 1.1, 1.2)]
    unanswered = write.op(3, "", status=Status.INFO)
    waiting = write.job("b", "", started=None, ended=None)

    found = result(CHECK, *accepted, unanswered, waiting)
    assert (found.outcome, found.samples) == (Outcome.PASS, 1)
    assert result(CHECK, *accepted, unanswered, write.job("b", started=3)).summary == "1 success that no handler ran"


def test_a_waiting_job_that_no_call_explains_is_lost(result: Any, write: Any) -> None:
    """One call without an answer made one job at most; and when nobody recorded a time, none is made up."""
    waiting = [write.job(job, "", started=None, ended=None) for job in ("b", "c")]

    found = result(CHECK, write.op(3, "", status=Status.INFO), *waiting)
    assert (found.outcome, found.summary) == (Outcome.FAIL, "2 of 2 jobs without an outcome")
    assert found.evidence[0].text == (
        "job b due at no known time (handler h2) has no outcome, and no handler ran it"
    )


def test_an_accepted_schedule_that_never_fired_is_lost(result: Any, write: Any) -> None:
    """A schedule every 5 s that has no job at all after a minute was forgotten."""
    added = write.op(1, "s1", workload="cron", op="schedule.add")
    fired = write.job("j", schedule_id="s1", scheduled_for=6.0)

    found = result(CHECK, added)
    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "schedule s1 accepted at 1.000 s (workload cron, due after 5 s) has not fired by 70.000 s"
    )
    assert result(CHECK, added, fired, write.run("j", 6, 7)).outcome is Outcome.PASS


@pytest.mark.parametrize("op", ["schedule.pause", "schedule.remove"])
def test_a_schedule_that_may_have_been_stopped_is_not_called_lost(result: Any, write: Any, op: str) -> None:
    """Nobody can say when a paused or removed schedule should have fired."""
    added = write.op(1, "s1", workload="cron", op="schedule.add")

    assert result(CHECK, added, write.op(2, "s1", op=op)).outcome is Outcome.UNKNOWN


def test_a_schedule_that_had_no_time_to_fire_is_not_called_lost(result: Any, write: Any) -> None:
    """Two intervals and some slack must have passed."""
    assert result(CHECK, write.op(56, "s1", workload="cron", op="schedule.add")).outcome is Outcome.UNKNOWN


def test_nothing_accepted_is_unknown(result: Any, write: Any) -> None:
    """Refused and unanswered calls promise nothing."""
    found = result(CHECK, write.op(1, status=Status.FAIL), write.op(2, status=Status.INFO))

    assert found.outcome is Outcome.UNKNOWN
    assert found.samples == 0


def test_a_job_accepted_without_an_id_leaves_doubt(result: Any, write: Any) -> None:
    """What cannot be followed cannot be said to have arrived."""
    found = result(CHECK, write.op(1, ""), write.op(2, "b"), write.job("b", "error"))

    assert found.outcome is Outcome.UNKNOWN
    assert "without an id" in found.evidence[0].text


def test_a_log_that_the_harness_failed_to_read_is_unknown(result: Any, write: Any) -> None:
    """What was not collected proves no loss; what was collected and contradicts itself still does."""
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")

    found = result(CHECK, blind, write.op(1, "a"))
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "the harness failed to collect files: TimeoutError"
    assert (
        result(CHECK, blind, write.op(1, "a"), write.job("a"), write.job("a", "error")).outcome is Outcome.FAIL
    )


def test_evidence_is_worst_first_and_at_most_twenty(result: Any, write: Any) -> None:
    """Unknown to the log before unfinished before hollow, then by time; the rest is counted."""
    hollow = [[write.op(n, f"hollow{n}"), write.job(f"hollow{n}")] for n in range(1, 11)]
    unfinished = [[write.op(n, f"open{n}"), write.job(f"open{n}", "")] for n in range(11, 21)]
    unknown = [write.op(n, f"gone{n}") for n in range(21, 26)]

    evidence = result(CHECK, *hollow, *unfinished, *unknown).evidence

    assert len(evidence) == 21
    assert [item.text.split()[1] for item in evidence[:16:5]] == ["gone21", "open11", "open16", "hollow1"]
    assert evidence[-1].text == "… and 5 more"
