"""Whether code of a mutant was run."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.integration]

_RUN = """
from harness.targets.schedule_zero.mutants import apply
from schedule_zero.restart_policy import Restarts
from schedule_zero.job_executor import JobExecutor

apply({mutant!r}, lambda: print("met"))
print("applied")
{code}
"""


@pytest.mark.parametrize(
    ("mutant", "code", "said"),
    [
        ("never-restarted", "", ["applied"]),
        (
            "never-restarted",
            "Restarts.delay_after(None, 1, 0.0); Restarts.delay_after(None, 1, 0.0)",
            ["applied", "met"],
        ),
        ("never-retried", "JobExecutor._again(None, None, 1, 2)", ["applied", "met"]),
        ("python-from-path", "", ["met", "applied"]),
    ],
)
def test_a_mutant_tells_once_when_its_code_is_run(mutant: str, code: str, said: list[str]) -> None:
    """At the first call of what it patched; one that patches no function counts as met, since nobody can tell."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(mutant=mutant, code=code)], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout.split(), done.stderr) == (said, "")
