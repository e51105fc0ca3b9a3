"""The agreement table says where two worlds come to different verdicts, and on which check."""

from __future__ import annotations

from harness.checks.verdict import CheckResult, Outcome, Verdict
from harness.report import agreement
from harness.report.console import plain


def _verdict(scenario: str, world: str, outcome: Outcome, *checks: tuple[str, Outcome]) -> Verdict:
    results = tuple(
        CheckResult(name=name, when="always", outcome=result, samples=1, summary="") for name, result in checks
    )
    return Verdict(scenario=scenario, seed=7, world=world, outcome=outcome, reason="", checks=results)


def test_worlds_that_agree_are_said_to_agree() -> None:
    """Equal outcomes and equal checks leave nothing to tell."""
    rows = agreement.agreement(
        [
            _verdict("a", "real", Outcome.PASS, ("no-lost-job", Outcome.PASS)),
            _verdict("a", "sim", Outcome.PASS, ("no-lost-job", Outcome.PASS)),
        ]
    )

    assert [(row.scenario, row.agree, row.differences) for row in rows] == [("a", True, ())]


def test_a_difference_names_the_check_and_both_worlds() -> None:
    """Which check tells the worlds apart stands in the row."""
    rows = agreement.agreement(
        [
            _verdict("a", "real", Outcome.FAIL, ("no-lost-job", Outcome.FAIL), ("runs", Outcome.PASS)),
            _verdict("a", "sim", Outcome.PASS, ("no-lost-job", Outcome.PASS), ("runs", Outcome.PASS)),
        ]
    )

    assert rows[0].agree is False
    assert rows[0].differences == ("always no-lost-job: real fail, sim pass",)


def test_one_world_alone_is_no_agreement() -> None:
    """A scenario that ran in one world proves nothing about the other, and is not counted."""
    rows = agreement.agreement([_verdict("a", "real", Outcome.PASS)])

    assert rows[0].agree is None
    assert plain(agreement.told(rows)).splitlines()[-1] == "0 of 0 agree"


def test_the_table_as_text() -> None:
    """A row a scenario, a column a world, the differences below, the sum last."""
    rows = agreement.agreement(
        [
            _verdict("load.steady", "sim", Outcome.PASS, ("x", Outcome.PASS)),
            _verdict("load.steady", "real", Outcome.UNKNOWN, ("x", Outcome.UNKNOWN)),
        ]
    )

    assert plain(agreement.told(rows)) == (
        "scenario           seed  real         sim\n"
        "load.steady           7  unknown      pass         DIFFER\n"
        "    always x: real unknown, sim pass\n"
        "0 of 1 agree\n"
    )
