"""How often jobs were run."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.errors import UsageError

ONCE = {"runs-per-job": {"max": 1}}


def test_jobs_that_ran_once_pass(result: Any, write: Any) -> None:
    """Accepted jobs and jobs of schedules are both counted."""
    found = result(
        ONCE, write.op(1, "a"), write.run("a", 1.1, 1.2), write.job("b", schedule_id="s"), write.run("b", 2, 3)
    )

    assert found.outcome is Outcome.PASS
    assert found.samples == 2
    assert found.name == "runs-per-job max 1"


def test_a_job_that_ran_too_often_is_shown_with_its_runs(result: Any, write: Any) -> None:
    """The evidence names handlers, times, and the fault between them; the most frequent comes first."""
    found = result(
        ONCE,
        write.op(1, "a"), write.job("a"), write.run("a", 1.1, 1.5), write.run("a", 9.0, 9.5, handler="h3"),
        write.op(2, "b"), *[write.run("b", at) for at in (3.0, 4.0, 5.0)],
        write.fault("hang", 2.0, 8.0, kind="process.pause"),
    )  # fmt: skip

    assert found.outcome is Outcome.FAIL
    assert found.summary == "2 of 2 jobs ran too often or too seldom (most: 3)"
    assert found.evidence[0].text.startswith(
        "job b (outcome none) ran 3 times, at most 1 allowed; at h2 from 3.000 s"
    )
    assert found.evidence[1].text == (
        "job a (outcome success) ran 2 times, at most 1 allowed; at h2 from 1.100 s to 1.500 s; "
        "at h3 from 9.000 s to 9.500 s; meanwhile: hang (process.pause at h2) from 2.000 s to 8.000 s"
    )


def test_a_job_that_ran_too_seldom_fails_unless_it_was_not_meant_to_run(result: Any, write: Any) -> None:
    """`min` demands runs of all jobs but those missed or cancelled."""
    check = {"runs-per-job": {"min": 1}}
    meant = result(check, write.job("a", "unreachable"), write.run("z", 1, 2))
    not_meant = result(check, write.job("a", "missed"), write.job("b", "cancelled"), write.run("z", 1, 2))

    assert meant.outcome is Outcome.FAIL
    assert "job a (outcome unreachable) ran 0 times, at least 1 expected" in meant.evidence[0].text
    assert not_meant.outcome is Outcome.PASS


def test_a_scheduled_job_that_was_due_after_the_run_owes_no_run(result: Any, write: Any) -> None:
    """It may be waiting when the target is stopped; one due before, or accepted directly, owes its run."""
    check = {"runs-per-job": {"min": 1}}
    ran = [write.op(1, "a"), write.run("a", 1, 2)]
    late = write.job("late", "", schedule_id="s", scheduled_for=60.5)
    due = write.job("due", "unreachable", schedule_id="s", scheduled_for=30.0, ended=33.0)

    assert result(check, ran, late).outcome is Outcome.PASS
    assert result(check, ran, late, write.op(61, "late")).outcome is Outcome.FAIL
    found = result(check, ran, late, due)
    assert found.outcome is Outcome.FAIL
    assert [(item.at, item.text) for item in found.evidence] == [
        (30.0, "job due (outcome unreachable, due at 30.000 s) ran 0 times, at least 1 expected")
    ]


def test_a_scheduled_job_that_was_due_after_the_run_may_not_run_too_often(result: Any, write: Any) -> None:
    """Being late excuses a missing run, not a second one."""
    late = write.job("late", schedule_id="s", scheduled_for=61.0)

    found = result(ONCE, late, write.run("late", 61.1, 61.2), write.run("late", 62.0, 62.1))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].at == 61.0


def test_without_any_recorded_run_nothing_is_known(result: Any, write: Any) -> None:
    """No handler having reported anything is no proof that none ran twice; but it breaks a `min`."""
    assert result(ONCE, write.op(1, "a"), write.job("a")).outcome is Outcome.UNKNOWN
    assert result(ONCE).outcome is Outcome.UNKNOWN
    assert result({"runs-per-job": {"min": 1}}, write.op(1, "a")).outcome is Outcome.FAIL


def test_runs_without_request_id_leave_doubt(result: Any, write: Any) -> None:
    """They may be second runs of any job."""
    found = result(ONCE, write.op(1, "a"), write.run("a", 1, 2), write.run("", 3, 4))

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "1 run carried no request id and could not be counted"


def test_journals_that_could_not_be_read_leave_doubt(result: Any, write: Any) -> None:
    """Runs that the harness failed to collect may be second ones."""
    blind = write.event(72, "teardown-problem", "collect files", error="TimeoutError")

    assert result(ONCE, blind, write.op(1, "a"), write.run("a", 1, 2)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("args", [{}, {"min": 2, "max": 1}, {"max": -1}, {"most": 1}])
def test_bounds_that_make_no_sense_are_refused(result: Any, args: dict[str, int]) -> None:
    """The message names the check."""
    with pytest.raises(UsageError, match="the check runs-per-job: "):
        result({"runs-per-job": args})


@pytest.mark.parametrize(
    ("bound", "outcome"),
    [
        ({"exactly": 2}, Outcome.PASS),
        ({"exactly": 1}, Outcome.FAIL),
        ({"exactly": 3}, Outcome.FAIL),
        ({"min": 2, "max": 2}, Outcome.PASS),
        ({"max": 1}, Outcome.FAIL),
        ({"min": 3}, Outcome.FAIL),
    ],
)
def test_runs_of_a_step_are_counted_together(
    result: Any, write: Any, bound: dict[str, int], outcome: Outcome
) -> None:
    """The runs of a schedule's jobs and of direct jobs of that step; those of others do not count."""
    records = [
        write.op(1, "s1", workload="slow", op="schedule.add"),
        write.job("j1", schedule_id="s1"),
        write.run("j1", 2, 3),
        write.op(1, "j2", workload="slow"),
        write.run("j2", 4, 5),
        write.op(1, "j3"),
        write.run("j3", 4, 5),
    ]

    assert result({"runs": {"of": "slow", **bound}}, *records, section="then").outcome is outcome


def test_too_many_runs_of_a_step_are_listed(result: Any, write: Any) -> None:
    """Each run with handler and time, so that one sees where the second came from."""
    found = result(
        {"runs": {"of": "steady", "exactly": 1}}, write.op(1, "a"), write.run("a", 2, 3), write.run("a", 40)
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "steady ran 2 times, expected exactly 1"
    assert [e.text for e in found.evidence] == [
        "a ran at h2 from 2.000 s to 3.000 s",
        "a ran at h2 from 40.000 s without an end",
    ]


def test_runs_of_a_step_that_was_never_accepted_are_unknown(result: Any, write: Any) -> None:
    """A step that did not happen proves nothing, not even `exactly: 0`."""
    assert (
        result({"runs": {"of": "steady", "exactly": 0}}, write.op(1, "a", workload="x")).outcome
        is Outcome.UNKNOWN
    )
