"""Short ways to write the records of a history down."""

from __future__ import annotations

from typing import Any

from harness.history.records import (
    AnyRecord,
    Audit,
    Edge,
    Event,
    Execution,
    Fault,
    FaultEvent,
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


class Write:
    """Records with the least that a test has to say. The run phase lasts 0..60 s, settling until 70 s."""

    def phases(self) -> list[AnyRecord]:
        """Run, settle and teardown."""
        spans = ((PhaseName.RUN, 0.0, 60.0), (PhaseName.SETTLE, 60.0, 70.0), (PhaseName.TEARDOWN, 70.0, 75.0))
        return [
            Phase(at=at, name=n, edge=e) for n, b, end in spans for e, at in ((Edge.BEGIN, b), (Edge.END, end))
        ]

    def operation(
        self, intended: float, end: float, *, status: Status = Status.OK, ref: str = "", **more: Any
    ) -> Operation:
        """A ``job.submit`` of the workload ``steady`` at ``h2``, intended, started and answered at the given times."""
        values: dict[str, Any] = {
            "id": 1,
            "workload": "steady",
            "op": "job.submit",
            "place": "h2",
            "start": intended,
        }
        return Operation(at=end, intended=intended, end=end, status=status, ref=ref, **{**values, **more})

    def op(self, at: float, ref: str = "", *, status: Status = Status.OK, **more: Any) -> Operation:
        """The same, answered at `at`, 100 ms after it was intended and started."""
        start = round(at - 0.1, 6)
        return self.operation(more.pop("intended", start), at, status=status, ref=ref, **{"start": start, **more})

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
