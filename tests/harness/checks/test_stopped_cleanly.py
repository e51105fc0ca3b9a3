"""Stops that end by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import Status

CHECK = "stopped-cleanly"


def test_stops_with_code_zero_pass_and_kills_need_none(result: Any, write: Any) -> None:
    """A kill has no exit code to keep."""
    found = result(
        CHECK,
        write.step(1, "stop", how="term", code=0, forced=False),
        write.step(2, "stop", how="kill", code=-9, forced=False),
        section="each",
    )

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)


def test_a_wrong_code_and_force_are_told_in_one_sentence(result: Any, write: Any) -> None:
    """Cycle, signal, code and time name the stop, and the fault that lay over it is told too."""
    found = result(
        CHECK,
        write.step(3, "stop", how="term", code=-9, forced=True, took=30.0),
        write.fault("hang", 29.0, 61.0, kind="process.pause", place="governor"),
        section="each",
    )

    assert found.outcome is Outcome.FAIL
    assert found.summary == "1 of 1 stop went wrong"
    assert found.evidence[0].text == (
        "the stop of cycle 3 by term at 30.000 s had to be forced "
        "and ended with exit code -9 instead of 0 after 30 s; "
        "meanwhile: hang (process.pause at governor) from 29.000 s to 61.000 s"
    )


def test_a_stop_that_did_not_work_fails_even_by_kill(result: Any, write: Any) -> None:
    """The step's own status counts whatever the signal."""
    found = result(
        CHECK, write.step(1, "stop", status=Status.FAIL, how="kill", error="still there"), section="each"
    )

    assert found.outcome is Outcome.FAIL
    assert "came to fail (still there)" in found.evidence[0].text


def test_no_stop_and_no_exit_code_are_unknown(result: Any, write: Any) -> None:
    """A start is no stop, and an exit code that nobody saw may have been any."""
    assert result(CHECK, write.step(1, "start"), section="each").outcome is Outcome.UNKNOWN
    found = result(CHECK, write.step(1, "stop", how="term", code=None), section="each")
    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "nobody saw the exit code of the stop of cycle 1 at 10.000 s"


def test_processes_that_were_killed_or_ended_badly_fail_a_stop_whose_own_code_is_0(result: Any, write: Any) -> None:
    """Each is told by name, with what was done to it or how it ended."""
    parts = {
        "h1": {"code": -9, "forced": "killed", "hurried": False, "ready": True, "after": 20.0},
        "h2": {"code": 9, "forced": "", "hurried": False, "ready": True, "after": 0.1},
        "h3": {"code": -15, "forced": "", "hurried": False, "ready": True, "after": 0.1},
        "scheduler": {"code": 0, "forced": "", "hurried": False, "ready": True, "after": 0.2},
    }
    found = result(CHECK, write.step(1, "stop", how="term", code=0, forced=False, parts=parts), section="each")

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text.endswith(
        ": h1 had to be killed after 20 s, h2 ended with code 9, h3 was ended by signal 15"
    )


def test_a_second_signal_asks_for_force_and_a_process_that_is_not_up_yet_ends_by_the_first(
    result: Any, write: Any
) -> None:
    """Neither is a fault of what was stopped; nor is what a kill does."""
    parts = {
        "h1": {"code": -9, "forced": "killed", "hurried": True, "ready": True, "after": 0.1},
        "h2": {"code": -15, "forced": "", "hurried": False, "ready": False, "after": 0.1},
    }
    killed = {"h1": {"code": -9, "forced": "killed", "hurried": False, "ready": True, "after": 0.1}}
    found = result(
        CHECK,
        write.step(1, "stop", how="term", times=2, code=0, parts=parts),
        write.step(2, "stop", how="kill", code=-9, parts=killed),
        section="each",
    )

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)


@pytest.mark.parametrize("asked", [{"how": "term"}, {"how": "order", "times": 3}])
def test_force_for_which_no_second_signal_asked_fails_a_stop(result: Any, write: Any, asked: dict[str, Any]) -> None:
    """Whoever says that it was hurried by one signal, or by orders, however many, has done wrong."""
    parts = {"h1": {"code": -9, "forced": "killed", "hurried": True, "ready": True, "after": 0.1}}
    found = result(CHECK, write.step(1, "stop", code=0, parts=parts, **asked), section="each")

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text.endswith(": h1 had to be killed after 0.1 s, hurried without a second signal")


def test_a_process_whose_end_nobody_saw_leaves_it_unknown(result: Any, write: Any) -> None:
    """The governor's own 0 says nothing of it."""
    parts = {"h1": {"code": None, "forced": "", "hurried": False, "ready": True, "after": 0.0}}
    found = result(CHECK, write.step(1, "stop", how="term", code=0, parts=parts), section="each")

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "nobody saw the exit code of h1 in the stop of cycle 1 at 10.000 s"
