"""The table of exit codes."""

from __future__ import annotations

import pytest

from harness.checks.verdict import Outcome
from harness.errors import (
    ExitCode,
    FaultError,
    HarnessError,
    Interrupted,
    LeakError,
    NeverReady,
    ScenarioError,
    TargetError,
    UsageError,
)

pytestmark = pytest.mark.unit


def test_the_codes_are_those_that_are_documented() -> None:
    """Scripts and build servers rely on these numbers; they never change."""
    assert {code.name: code.value for code in ExitCode} == {
        "PASS": 0,
        "FAIL": 1,
        "USAGE": 2,
        "UNKNOWN": 3,
        "UNSTEADY": 4,
        "ERROR": 5,
        "ABORTED": 6,
        "NONDETERMINISTIC": 7,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HarnessError, 5),
        (UsageError, 2),
        (ScenarioError, 2),
        (TargetError, 4),
        (NeverReady, 4),
        (FaultError, 5),
        (LeakError, 1),
        (Interrupted, 130),
    ],
)
def test_every_error_knows_its_code(error: type[HarnessError], code: int) -> None:
    """A face asks the error itself."""
    assert error("why").exit_code == code


def test_every_outcome_has_a_code_of_its_own() -> None:
    """Two outcomes that end a command alike could not be told apart by a script."""
    codes = [outcome.exit_code for outcome in Outcome]

    assert sorted(codes) == [0, 1, 3, 4, 5, 6, 130]
