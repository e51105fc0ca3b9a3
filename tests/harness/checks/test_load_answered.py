"""Loads that the target mostly refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.judge import judge
from harness.checks.load_answered import CHECK, failures
from harness.checks.verdict import CheckResult, Outcome
from harness.history.history import History
from harness.history.records import AnyRecord, Header, Operation, Status


def _calls(workload: str, **ended: int) -> list[AnyRecord]:
    """So many calls that ended so, each a second after the one before."""
    status = [Status(word) for word, count in ended.items() for _ in range(count)]
    return [
        Operation(
            at=n + 0.1,
            id=n,
            workload=workload,
            op="job.submit",
            place="h1",
            intended=float(n),
            start=float(n),
            end=n + 0.1,
            status=how,
            error="" if how is Status.OK else f"503 of {n}",
        )
        for n, how in enumerate(status)
    ]


@pytest.fixture
def judged(scenario: Any, write: Any) -> Any:
    """Judge a scenario that demands nothing of its own on calls that ended so."""

    def judged(records: list[AnyRecord], **sections: Any) -> list[CheckResult]:
        found = judge(scenario(**sections), History(Header(), [*write.phases(), *records]))
        return [result for result in found if result.name == "load-answered"]

    return judged


def test_a_load_of_which_most_was_refused_proves_little(judged: Any) -> None:
    """A target that refuses all it is asked for loses no job; that is no reason to call it good."""
    (found,) = judged(_calls("steady", fail=36, ok=4))

    assert (found.outcome, found.samples, found.when) == (Outcome.UNKNOWN, 40, "always")
    assert found.summary == (
        "36 of 40 calls of steady failed (first: 503 of 0), so little was proven about the target. "
        "Say with steady.errors under thresholds how many may"
    )
    assert found.evidence[0].data == {"workload": "steady", "bad": 36, "calls": 40}


def test_calls_in_doubt_are_no_better(judged: Any) -> None:
    """Nobody knows whether they took effect, so nobody can judge what became of them."""
    (found,) = judged(_calls("steady", info=2, fail=1, ok=2))

    assert found.summary.startswith("1 of 5 calls of steady failed, 2 are in doubt (first: 503 of 0)")
    assert found.summary.endswith("Say with steady.errors and steady.unknowns under thresholds how many may")


def test_half_may_fail_unsaid(judged: Any) -> None:
    """Under faults calls fail: the check stands in a verdict only when most of them did."""
    assert judged(_calls("steady", fail=20, ok=20)) == []
    assert [found.outcome for found in judged(_calls("steady", fail=21, ok=19))] == [Outcome.UNKNOWN]


@pytest.mark.parametrize(
    ("threshold", "judges"),
    [
        ({"steady.errors": ["ratio <= 100%"]}, False),
        ({"steady.unknowns": ["ratio < 1%"]}, True),
        ({"steady.rate": ["mean > 1/s"]}, False),
        ({"steady.latency": ["p99 < 1s"]}, True),
        ({}, True),
    ],
)
def test_a_threshold_on_how_calls_end_is_the_files_own_word(
    judged: Any, threshold: dict[str, list[str]], judges: bool
) -> None:
    """Whoever says how many calls may fail is judged by that; latency counts only those that went well, and who bounds
    those in doubt has said nothing of those that fail.
    """
    assert bool(judged(_calls("steady", fail=40), thresholds=threshold)) is judges


def test_each_workload_is_judged_by_itself(scenario: Any, judged: Any) -> None:
    """Many good calls of one workload hide none of another; what is no workload says itself how it should end."""
    two = [{"id": name, "op": "job.submit", "model": "once", "count": 1} for name in ("steady", "others")]
    records = [*_calls("steady", ok=99), *_calls("others", fail=2), *_calls("a step", fail=50)]
    (found,) = judged(records, workload=two)

    assert [evidence.data["workload"] for evidence in found.evidence] == ["others"]
    said = failures(scenario(workload=two), History(Header(), records))
    assert said == "2 of 101 calls failed"


def test_what_ended_badly_is_told_in_words(scenario: Any) -> None:
    """The verdict's sentence has it, whatever the checks say."""

    def told(**ended: int) -> str:
        return failures(scenario(), History(Header(), _calls("steady", **ended)))

    assert told(ok=3) == ""
    assert told(ok=3, fail=1) == "1 of 4 calls failed"
    assert told(ok=3, info=1) == "1 of 4 calls is in doubt"
    assert told(ok=1, fail=2, info=3) == "2 of 6 calls failed, 3 are in doubt"


def test_written_down_it_tells_what_it_saw(scenario: Any, judged: Any, write: Any) -> None:
    """Asked for by name it passes with a number, and a run without calls proves nothing."""
    (good,) = judged(_calls("steady", ok=3, fail=1), checks={"always": ["load-answered"]})
    (none,) = judged([], checks={"always": ["load-answered"]})

    assert (good.outcome, good.summary) == (Outcome.PASS, "1 of 4 calls failed")
    assert (none.outcome, none.summary) == (Outcome.UNKNOWN, "no call was sent, so nothing was proven")
    assert CHECK.args is None
