"""What the checks of one run add up to."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from harness.errors import ExitCode


class Outcome(StrEnum):
    """What a check or a whole run came to; single checks use only `PASS`, `FAIL` and `UNKNOWN`."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    FAIL = "fail"
    UNKNOWN = "unknown"
    UNSTEADY = "unsteady"
    ERROR = "error"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command whose worst run ended so."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.PASS: ExitCode.PASS,
    Outcome.FAIL: ExitCode.FAIL,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.UNSTEADY: ExitCode.UNSTEADY,
    Outcome.ERROR: ExitCode.ERROR,
    Outcome.ABORTED: ExitCode.ABORTED,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that shows why a check came out so; ``at`` is scenario time in seconds, None if timeless."""

    text: str
    at: float | None = None
    data: dict[str, Any] = {}


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check said.

    ``name`` reads as in the scenario file (``runs-per-job``, ``steady.latency p99 < 400ms``), ``when`` is the
    section it stands in (``always``, ``eventually``, ``finally``, ``sometimes``, ``each``, ``thresholds``,
    ``steady``, ``then``). ``samples`` counts what the check looked at: with none it is `Outcome.UNKNOWN`.
    ``line`` is its line in the file, 0 if none. ``known`` is True when a ``known:`` entry of the scenario
    expects this failure.
    """

    name: str
    when: str
    outcome: Outcome
    samples: int
    summary: str
    evidence: tuple[Evidence, ...] = ()
    line: int = 0
    known: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one run: the worst of its checks, or why there was nothing to judge.

    ``reason`` is one sentence. ``scenario``, ``seed`` and ``world`` name the run; ``duration`` is in seconds of
    scenario time.
    """

    scenario: str
    seed: int
    world: str
    outcome: Outcome
    reason: str
    checks: tuple[CheckResult, ...] = ()
    duration: float = 0.0

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass, worst first."""
        bad = [c for c in self.checks if c.outcome is not Outcome.PASS and not c.known]
        return tuple(sorted(bad, key=lambda c: c.outcome is not Outcome.FAIL))
