"""All checks by name."""

from __future__ import annotations

from importlib.metadata import entry_points

from harness.checks import (
    audits,
    bounded,
    brought_back,
    crossed_replies,
    explainable,
    faults_injected,
    fire_model,
    fires_on_schedule,
    growth,
    load_answered,
    load_sent,
    no_lost_job,
    runs,
    steps_done,
    stopped_cleanly,
    target_state,
)
from harness.checks.base import ENTRY_POINTS, Check
from harness.errors import UsageError

BUILT_IN: tuple[Check, ...] = (
    no_lost_job.CHECK,
    runs.PER_JOB,
    runs.TOGETHER,
    explainable.CHECK,
    crossed_replies.CHECK,
    fires_on_schedule.CHECK,
    fire_model.CHECK,
    *target_state.CHECKS,
    *audits.CHECKS,
    steps_done.CHECK,
    faults_injected.CHECK,
    load_sent.CHECK,
    load_answered.CHECK,
    stopped_cleanly.CHECK,
    brought_back.CHECK,
    growth.CHECK,
    bounded.CHECK,
)
"""The checks of the harness itself."""


def checks() -> dict[str, Check]:
    """The checks of the harness and those that other packages register.

    Raises `UsageError` for an entry point that is not a `Check`, and for a name that is taken.
    """
    found = {check.name: check for check in BUILT_IN}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: (entry.name, entry.value)):
        check = entry.load()
        if not isinstance(check, Check):
            raise UsageError(f"the entry point {entry.name} = {entry.value} of {ENTRY_POINTS} is no Check: {check!r}")
        if check.name in found:
            raise UsageError(f"two checks are called {check.name!r}; the second is {entry.value}")
        found[check.name] = check
    return found
