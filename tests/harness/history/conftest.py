"""Short ways to write the records of a history down, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.history.records import Execution, Job, Operation, Status
from harness.scenario.model import Scenario


@pytest.fixture
def operation() -> Callable[..., Operation]:
    """Make an operation of the workload ``steady``: intended, started and answered at the given times."""

    def make(
        intended: float, end: float, *, status: Status = Status.OK, ref: str = "", **more: Any
    ) -> Operation:
        values: dict[str, Any] = {
            "id": 1,
            "workload": "steady",
            "op": "job.submit",
            "place": "h1",
            "start": intended,
        }
        return Operation(at=end, intended=intended, end=end, status=status, ref=ref, **{**values, **more})

    return make


@pytest.fixture
def run() -> Callable[..., Execution]:
    """Make a run of a job at ``h1``."""

    def make(
        job: str, start: float, end: float | None, *, handler: str = "h1", outcome: str = "ok"
    ) -> Execution:
        at = start if end is None else end
        return Execution(
            at=at, handler=handler, request_id=job, method="work", start=start, end=end, outcome=outcome
        )

    return make


@pytest.fixture
def job() -> Callable[..., Job]:
    """Make a job of the scheduler's log."""

    def make(name: str, outcome: str = "success", **more: Any) -> Job:
        return Job(at=99.0, job_id=name, handler="h1", method="work", outcome=outcome, **more)

    return make


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
