"""How a check stands: its outcome, or ``known`` for a failure that is expected."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.verdict import CheckResult, Outcome

_ORDER = ("fail", "error", "unknown", "known", "pass")


def standing(check: CheckResult) -> str:
    """The word for how a check came out.

    >>> standing(CheckResult(name="x", when="always", outcome=Outcome.FAIL, samples=1, summary="", known=True))
    'known'
    """
    return "known" if check.known and check.outcome is not Outcome.PASS else check.outcome.value


def ordered(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """The checks with those that matter most first; otherwise as in the file."""
    return sorted(checks, key=lambda c: _ORDER.index(standing(c)) if standing(c) in _ORDER else 1)
