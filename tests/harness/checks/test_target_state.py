"""The state in the end."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.history.records import ProcessEvent

FIVE = {"registered-handlers": {"count": 5}}


def test_the_last_sample_of_the_settling_phase_decides(result: Any, write: Any) -> None:
    """What was seen during the run, and after the settling, does not count."""
    samples = [(30, 2), (61, 3), (69, 5), (71, 0)]

    found = result(FIVE, *[write.sample(at, "registered-handlers", n) for at, n in samples])

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)


def test_missing_handlers_fail(result: Any, write: Any) -> None:
    """The evidence says how many were there and when, and under which fault."""
    found = result(
        FIVE, write.sample(69, "registered-handlers", 4), write.fault("cut", 50, kind="link.partition")
    )

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "4 of 5 handlers were registered at 69.000 s, when the run had settled; "
        "meanwhile: cut (link.partition at h2) from 50.000 s and never healed"
    )


def test_a_number_never_seen_is_unknown(result: Any, write: Any) -> None:
    """Samples of the run phase say nothing about the end."""
    assert result(FIVE, write.sample(30, "registered-handlers", 5)).outcome is Outcome.UNKNOWN


def test_a_number_seen_too_long_before_the_end_is_unknown(result: Any, write: Any) -> None:
    """A target that stopped answering must not pass by its last good answer."""
    found = result(FIVE, write.sample(61, "registered-handlers", 5))

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary == "5 were registered at 61.000 s, then nothing answered until the end"


def test_the_count_may_be_written_without_its_name(result: Any, write: Any) -> None:
    """``registered-handlers: 5`` is the same."""
    found = result({"registered-handlers": 5}, write.sample(69, "registered-handlers", 5))

    assert found.outcome is Outcome.PASS
    assert found.name == "registered-handlers count 5"


STARTED, EXITED = ProcessEvent.STARTED, ProcessEvent.EXITED


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([(1, 7, STARTED)], Outcome.PASS),
        ([(1, 7, STARTED), (20, 7, EXITED), (21, 8, STARTED)], Outcome.PASS),
        ([(1, 7, STARTED), (20, 7, EXITED), (20, 8, STARTED)], Outcome.PASS),
        ([(1, 7, STARTED), (71, 7, EXITED)], Outcome.PASS),
        ([(1, 7, STARTED), (20, 7, EXITED)], Outcome.FAIL),
        ([(1, 7, STARTED), (20, 7, EXITED), (20, 8, STARTED), (20, 8, EXITED)], Outcome.FAIL),
        ([], Outcome.UNKNOWN),
    ],
)
def test_the_scheduler_is_alive_unless_it_exited_for_good(
    result: Any, write: Any, events: list[tuple[int, int, ProcessEvent]], outcome: Outcome
) -> None:
    """A restart heals an exit, also at the same instant; the exit of the teardown is none."""
    records = [write.process(at, "scheduler", event, 1, pid) for at, pid, event in events]

    assert result({"scheduler": "alive"}, *records, section="then").outcome is outcome


def test_a_dead_scheduler_is_told_with_its_exit_code(result: Any, write: Any) -> None:
    """Pid, time and code are what one looks for in the logs."""
    found = result("scheduler", write.process(20, "scheduler", ProcessEvent.EXITED, -9), section="then")

    assert found.evidence[0].text == (
        "the scheduler (pid 42) ended at 20.000 s with exit code -9 and did not come back"
    )
