"""What all results add up to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from harness.checks.summing_up import sum_up
from harness.checks.verdict import CheckResult, Outcome

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
TODAY = date(2026, 6, 1)


def results(*outcomes: Outcome) -> list[CheckResult]:
    """Results named after their place."""
    return [
        CheckResult(
            name=f"check{n}", when="always", outcome=outcome, samples=1, summary=f"it came to {outcome.value}"
        )
        for n, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "outcome", "reason"),
    [
        ([PASS, PASS], PASS, "all 2 checks passed"),
        ([PASS, FAIL, FAIL], FAIL, "2 of 3 checks failed: check1: it came to fail"),
        ([UNKNOWN, FAIL], FAIL, "1 of 2 checks failed: check1: it came to fail"),
        ([PASS, UNKNOWN], UNKNOWN, "1 of 2 checks proved nothing: check1: it came to unknown"),
        ([], UNKNOWN, "the scenario demands nothing, so nothing was judged"),
    ],
)
def test_the_worst_result_is_the_outcome(
    scenario: Callable[..., Any], outcomes: list[Outcome], outcome: Outcome, reason: str
) -> None:
    """Failing beats unknown beats passing, and nothing judged is unknown."""
    assert sum_up(scenario(), results(*outcomes)) == (outcome, reason)


@pytest.mark.parametrize(
    ("outcomes", "until", "outcome", "words"),
    [
        ([PASS, FAIL], "2026-06-01", PASS, "as expected because of owner/repo#1"),
        ([PASS, FAIL], "4.0.0b1", PASS, "as expected because of owner/repo#1"),
        ([PASS, FAIL], "2026-05-31", FAIL, "owner/repo#1 was known only until 2026-05-31"),
        ([PASS, PASS], "2027-01-01", FAIL, "nothing failed, although owner/repo#1 is said to be known"),
        ([FAIL, UNKNOWN], "2027-01-01", UNKNOWN, "1 of 2 checks proved nothing"),
        ([PASS, UNKNOWN], "2027-01-01", UNKNOWN, "1 of 2 checks proved nothing"),
        ([FAIL, UNKNOWN], "2026-05-31", FAIL, "known only until"),
    ],
)
def test_a_known_defect_must_fail_until_its_date(
    scenario: Callable[..., Any], outcomes: list[Outcome], until: str, outcome: Outcome, words: str
) -> None:
    """A strict expected failure: passing is a failure, and so is failing after the date."""
    known = scenario(known={"issue": "owner/repo#1", "until": until})

    found, reason = sum_up(known, results(*outcomes), today=TODAY)

    assert found is outcome
    assert words in reason
