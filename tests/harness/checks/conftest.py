"""Short ways to write a history down and to have one check judge it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from harness.checks.judge import judge
from harness.checks.verdict import CheckResult
from harness.history.history import History
from harness.history.records import (
    AnyRecord,
    Audit,
    Edge,
    Event,
    Execution,
    Fault,
    FaultEvent,
    Header,
    Job,
    Operation,
    Phase,
    PhaseName,
    Process,
    ProcessEvent,
    Sample,
    Status,
    Step,
)
from harness.scenario.model import Scenario


class Write:
    """Records with the least that a test has to say. The run phase lasts 0..60 s, settling until 70 s."""

    def phases(self) -> list[AnyRecord]:
        """Run, settle and teardown."""
        spans = ((PhaseName.RUN, 0.0, 60.0), (PhaseName.SETTLE, 60.0, 70.0), (PhaseName.TEARDOWN, 70.0, 75.0))
        return [
            Phase(at=at, name=n, edge=e) for n, b, end in spans for e, at in ((Edge.BEGIN, b), (Edge.END, end))
        ]

    def op(self, at: float, ref: str = "", *, status: Status = Status.OK, **more: Any) -> Operation:
        """A ``job.submit`` of the workload ``steady``, answered at `at`, 100 ms after it was intended."""
        start = round(at - 0.1, 6)
        values: dict[str, Any] = {
            "id": 1,
            "workload": "steady",
            "op": "job.submit",
            "place": "h2",
            "intended": start,
        }
        return Operation(at=at, start=start, end=at, status=status, ref=ref, **{**values, **more})

    def job(self, name: str, outcome: str = "success", *, handler: str = "h2", **more: Any) -> Job:
        """A job of the scheduler's log."""
        return Job(at=70.0, job_id=name, handler=handler, method="work", outcome=outcome, **more)

    def run(
        self, job: str, start: float, end: float | None = None, *, handler: str = "h2", outcome: str = "ok"
    ) -> Execution:
        """A run of a job by a handler."""
        at = start if end is None else end
        return Execution(
            at=at, handler=handler, request_id=job, method="work", start=start, end=end, outcome=outcome
        )

    def fault(
        self,
        name: str,
        begin: float,
        end: float | None = None,
        *,
        kind: str = "process.kill",
        place: str = "h2",
    ) -> list[Fault]:
        """A fault from injection to heal."""
        injected = Fault(at=begin, id=name, kind=kind, event=FaultEvent.INJECTED, place=place)
        if end is None:
            return [injected]
        return [injected, Fault(at=end, id=name, kind=kind, event=FaultEvent.HEALED, place=place)]

    def sample(self, at: float, name: str, value: float, place: str = "") -> Sample:
        """One observed number."""
        return Sample(at=at, name=name, value=value, place=place)

    def event(self, at: float, name: str, place: str = "", **detail: Any) -> Event:
        """One event."""
        return Event(at=at, name=name, place=place, detail=detail)

    def audit(
        self,
        name: str,
        *found: dict[str, Any],
        scope: str = "final",
        looked_at: int = 3,
        unseen: tuple[str, ...] = (),
    ) -> Audit:
        """One search for left-overs."""
        return Audit(at=74.0, name=name, scope=scope, looked_at=looked_at, found=found, unseen=unseen)

    def step(
        self, cycle: int, step: str, *, status: Status = Status.OK, took: float = 0.5, **detail: Any
    ) -> Step:
        """One step of a cycle; cycle N begins at N x 10 s."""
        begin = cycle * 10.0
        return Step(
            at=begin + took, cycle=cycle, step=step, start=begin, end=begin + took, status=status, detail=detail
        )

    def process(
        self, at: float, name: str, event: ProcessEvent, code: int | None = None, pid: int = 42
    ) -> Process:
        """Something in the life of a process."""
        return Process(at=at, name=name, pid=pid, event=event, code=code)


@pytest.fixture
def write() -> Write:
    """Short ways to write records."""
    return Write()


def make_scenario(**sections: Any) -> Scenario:
    """A scenario with the workloads ``steady`` (jobs) and ``cron`` (a schedule every 5 s)."""
    values: dict[str, Any] = {
        "scenario": 1,
        "name": "demo",
        "kind": "load",
        "target": {"driver": "any"},
        "workload": [
            {"id": "steady", "op": "job.submit", "rate": "10/s", "for": "60s"},
            {"id": "cron", "op": "schedule.add", "model": "once", "count": 1, "with": {"every": "5s"}},
        ],
    }
    return Scenario.model_validate({**values, **sections})


@pytest.fixture
def scenario() -> Callable[..., Scenario]:
    """Make a scenario with the given sections."""
    return make_scenario


def flat(items: Iterable[Any]) -> list[AnyRecord]:
    """Records and lists of records in one list."""
    return [record for item in items for record in (item if isinstance(item, list) else [item])]


@pytest.fixture
def result(write: Write) -> Callable[..., CheckResult]:
    """Judge one check, given as in a scenario file under `section`, on the records (and the phases)."""

    def judged(check: Any, *records: Any, section: str = "always", **more: Any) -> CheckResult:
        demands = {"then": [check]} if section == "then" else {"checks": {section: [check]}}
        history = History(Header(), [*write.phases(), *flat(records)])
        (found,) = judge(make_scenario(**demands, **more), history)
        return found

    return judged


@pytest.fixture
def threshold(write: Write) -> Callable[..., CheckResult]:
    """Judge one threshold of one metric on a history of the records."""

    def judged(metric: str, bound: Any, *records: Any) -> CheckResult:
        history = History(Header(), [*write.phases(), *flat(records)])
        (found,) = judge(make_scenario(thresholds={metric: [bound]}), history)
        return found

    return judged
