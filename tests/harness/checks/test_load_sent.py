"""Loads of which too much was never sent."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.judge import judge
from harness.checks.verdict import CheckResult, Outcome
from harness.history.history import History
from harness.history.recorder import Recorder
from harness.history.records import Drop, Event, Header, Operation, Status
from harness.workload.lag import LagMeter


def _call(n: int) -> Operation:
    begin, end = float(n), n + 0.1
    return Operation(
        at=end,
        id=n,
        workload="jobs",
        op="job.submit",
        place="h1",
        intended=begin,
        start=begin,
        end=end,
        status=Status.OK,
    )


def _sent(count: int) -> list[Operation]:
    return [_call(n) for n in range(count)]


def _dropped(count: int) -> list[Drop]:
    return [Drop(at=float(n), workload="jobs", intended=float(n)) for n in range(count)]


@pytest.fixture
def judged(scenario: Any, write: Any) -> Any:
    """Judge a scenario that demands nothing of its own on so many sent and dropped calls."""

    def judged(sent: int, dropped: int, **sections: Any) -> list[CheckResult]:
        records = [*write.phases(), *_sent(sent), *_dropped(dropped)]
        found = judge(scenario(**sections), History(Header(), sorted(records, key=lambda record: record.at)))
        return [result for result in found if result.name == "load-sent"]

    return judged


def test_a_load_that_was_mostly_dropped_proves_nothing(judged: Any) -> None:
    """Calls that were never made cannot have gone well."""
    (found,) = judged(1856, 18144)

    assert (found.outcome, found.samples) == (Outcome.UNKNOWN, 1856)
    assert found.evidence[0].text.startswith("18144 of 20000 arrivals of jobs were not sent")


def test_one_in_a_hundred_may_be_dropped(judged: Any) -> None:
    """What thresholds allow in every file is no reason to doubt a run."""
    assert [found.outcome for found in judged(990, 10)] == [Outcome.PASS]
    assert [found.outcome for found in judged(989, 11)] == [Outcome.UNKNOWN]


def test_a_threshold_on_what_is_dropped_is_the_files_own_word(judged: Any) -> None:
    """Whoever says how much may be dropped is judged by that."""
    assert judged(10, 990, thresholds={"jobs.dropped": ["ratio < 100%"]}) == []


def test_nothing_dropped_is_nothing_to_tell(judged: Any) -> None:
    """The check stands in a verdict only when there is something to say."""
    assert judged(100, 0) == []


@pytest.fixture
def behind(scenario: Any, write: Any) -> Any:
    """Judge a run in which so many calls of a hundred started so many seconds late, as the generator itself told it."""

    def behind(late: int, seconds: float, of: int = 100) -> list[CheckResult]:
        recorder = Recorder()
        meter = LagMeter(recorder, "jobs")
        for n in range(of):
            meter.note(seconds if n < late else 0.0, now=float(n))
        meter.finish()
        told = recorder.close().of(Event)
        found = judge(scenario(), History(Header(), [*write.phases(), *_sent(of), *told]))
        return [result for result in found if result.name == "load-sent"]

    return behind


def test_a_generator_that_fell_behind_leaves_the_run_unknown(behind: Any) -> None:
    """Calls that are sent long after their time are another load than the file asks for."""
    (found,) = behind(26, 3.5)

    assert (found.outcome, found.samples) == (Outcome.UNKNOWN, 100)
    assert found.summary == (
        "the load generator fell behind: 26 of 100 calls of jobs started more than 1 s after their time (worst 3.5 s), "
        "so another load was played than the file asks for. Ask for less, or run on a faster or quieter machine"
    )
    assert found.evidence[0].data == {"workload": "jobs", "overdue": 26, "calls": 100, "worst": 3.5}


@pytest.mark.parametrize(("late", "seconds", "of"), [(25, 3.5, 100), (100, 0.9, 100), (1, 3.5, 2)])
def test_a_machine_that_paused_leaves_no_doubt(behind: Any, late: int, seconds: float, of: int) -> None:
    """A few late calls, many that are a little late, and one straggler of two: latency counts from their time."""
    assert behind(late, seconds, of) == []
