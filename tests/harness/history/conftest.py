"""What the tests of this folder share: the scenario whose metrics they measure, and its records in short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.history.records import Execution, Job, Operation
from harness.scenario.model import Scenario


@pytest.fixture
def operation(write: Any) -> Callable[..., Operation]:
    """Make an operation of the workload ``steady``: intended, started and answered at the given times."""
    made: Callable[..., Operation] = write.operation
    return made


@pytest.fixture
def run(write: Any) -> Callable[..., Execution]:
    """Make a run of a job."""
    made: Callable[..., Execution] = write.run
    return made


@pytest.fixture
def job(write: Any) -> Callable[..., Job]:
    """Make a job of the scheduler's log."""
    made: Callable[..., Job] = write.job
    return made


@pytest.fixture
def scenario() -> Scenario:
    """A scenario with the workloads ``steady`` (jobs) and ``cron`` (schedules)."""
    return Scenario.model_validate(
        {
            "scenario": 1,
            "name": "demo",
            "kind": "load",
            "target": {"driver": "any"},
            "workload": [
                {"id": "steady", "op": "job.submit", "rate": "10/s", "for": "10s"},
                {"id": "cron", "op": "schedule.add", "model": "once", "count": 1, "with": {"every": "5s"}},
            ],
        }
    )
