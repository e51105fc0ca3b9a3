"""What the results of all checks of one run add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from harness.checks.evidence import many
from harness.checks.verdict import CheckResult, Outcome

if TYPE_CHECKING:
    from harness.scenario.model import Known, Scenario


def sum_up(
    scenario: Scenario, results: Sequence[CheckResult], *, today: date | None = None
) -> tuple[Outcome, str]:
    """The outcome of the run and one sentence that says why.

    Failing beats unknown, unknown beats passing, and nothing judged is unknown. With ``known:`` the run passes
    if something fails and nothing is unknown, and fails if nothing does (then the defect is gone, and so must
    the entry be) or once its date is over. An ``until`` that is a version has no date: it ends when the defect
    does.
    """
    if not results:
        return Outcome.UNKNOWN, "the scenario demands nothing, so nothing was judged"
    failed = [result for result in results if result.outcome is Outcome.FAIL]
    unknown = [
        result
        for result in results
        if result.outcome is not Outcome.FAIL and result.outcome is not Outcome.PASS
    ]
    if scenario.known is not None:
        return _with_known(scenario.known, failed, unknown, results, today or datetime.now(UTC).date())
    if failed:
        return Outcome.FAIL, _told(failed, results, "failed")
    if unknown:
        return Outcome.UNKNOWN, _told(unknown, results, "proved nothing")
    return Outcome.PASS, f"all {many(len(results), 'check')} passed"


def _with_known(
    known: Known,
    failed: list[CheckResult],
    unknown: list[CheckResult],
    results: Sequence[CheckResult],
    today: date,
) -> tuple[Outcome, str]:
    over = _end(known)
    if failed and over is not None and today > over:
        return (
            Outcome.FAIL,
            f"{_told(failed, results, 'failed')}; {known.issue} was known only until {over.isoformat()}",
        )
    if failed and unknown:
        return Outcome.UNKNOWN, _told(unknown, results, "proved nothing")
    if failed:
        return Outcome.PASS, f"{_told(failed, results, 'failed')}, as expected because of {known.issue}"
    if unknown:
        return Outcome.UNKNOWN, _told(unknown, results, "proved nothing")
    return (
        Outcome.FAIL,
        f"nothing failed, although {known.issue} is said to be known: remove the `known:` entry",
    )


def _end(known: Known) -> date | None:
    if isinstance(known.until, date):
        return known.until
    try:
        return date.fromisoformat(known.until)
    except ValueError:
        return None


def _told(some: Sequence[CheckResult], results: Sequence[CheckResult], what: str) -> str:
    return f"{len(some)} of {many(len(results), 'check')} {what}: {some[0].name}: {some[0].summary}"
