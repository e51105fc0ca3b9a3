"""Made-up runs that look like real ones: every figure that a report shows can be counted in them by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from harness.checks.verdict import CheckResult, Evidence, Outcome, Verdict
from harness.history.history import History
from harness.history.records import (
    AnyRecord,
    Drop,
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
from harness.report.manifest import Machine, Manifest, Setting

SOURCE = """\
scenario: 1
name: chaos.handlers-under-fire
about: Jobs survive dead handlers, a stuck socket and a locked store.
kind: chaos
seed: 90210
target: {driver: schedule_zero}
topology:
  handlers: {name: "h{n}", count: 5, mock: worker, service: {p50: 50ms, p99: 400ms}}
workload:
  - {id: jobs, op: job.submit, with: {handler: "h*", method: work}, model: open, rate: 12/s, for: 2m}
faults:
  - {id: crash, kind: process.kill, where: {handlers: 2}, at: 30s, for: 8s}
checks:
  always:
    - no-lost-job
    - {runs-per-job: {max: 2}}
  finally: [no-orphan-process]
"""


@dataclass
class Run:
    """A made-up run: what a report is made from."""

    history: History
    verdict: Verdict
    manifest: Manifest
    logs: dict[str, str] = field(default_factory=dict)


def manifest(name: str, kind: str, seed: int, **changes: object) -> Manifest:
    """A manifest with values that do not depend on the machine."""
    values: dict[str, object] = {
        "scenario": name,
        "kind": kind,
        "world": "real",
        "seed": seed,
        "file": f"scenarios/{name.replace('.', '/')}.yaml",
        "started": "2026-03-14T09:26:53.589+00:00",
        "ended": "2026-03-14T09:29:12.100+00:00",
        "duration": 138.511,
        "about": "Jobs survive dead handlers, a stuck socket and a locked store.",
        "command": ("harness", "run", "scenarios"),
        "again": f"harness run scenarios/{name.replace('.', '/')}.yaml --world real --seed {seed}",
        "versions": {
            "python": "CPython 3.11.7",
            "harness": "0.1.0",
            "pyzmq": "27.1.0",
            "libzmq": "4.3.5",
            "apscheduler": "4.0.0a6",
        },
        "commit": "ee65c4965cabb0f30b1d8e4a8e5be32b4a1f2c3d",
        "machine": Machine(
            platform="Linux", kernel="6.8.0", architecture="x86_64", processors=2, memory=8_000_000_000
        ),
        "settings": {
            "limits.run": Setting(value="2min", source="file"),
            "seed": Setting(value=seed, source="command line"),
        },
        "source": SOURCE,
        **changes,
    }
    return Manifest(**values)  # type: ignore[arg-type]  # the keys are those of the struct


def phases(*marks: tuple[PhaseName, float, float]) -> list[AnyRecord]:
    """Begin and end of each phase."""
    return [
        Phase(at=at, name=name, edge=edge)
        for name, begin, end in marks
        for edge, at in ((Edge.BEGIN, begin), (Edge.END, end))
    ]


def life(name: str, pid: int, begin: float, end: float, code: int = 0) -> list[AnyRecord]:
    """One life of a process."""
    return [
        Process(at=begin, name=name, pid=pid, event=ProcessEvent.STARTED),
        Process(at=begin + 0.4, name=name, pid=pid, event=ProcessEvent.READY),
        Process(at=end, name=name, pid=pid, event=ProcessEvent.EXITED, code=code),
    ]


def fault(
    ident: str, kind: str, place: str, begin: float, end: float | None, **detail: object
) -> list[AnyRecord]:
    """Arming, injection and heal of one fault."""
    found: list[AnyRecord] = [
        Fault(at=-0.1, id=ident, kind=kind, event=FaultEvent.ARMED, place=place),
        Fault(at=begin, id=ident, kind=kind, event=FaultEvent.INJECTED, place=place, detail=detail),
    ]
    return (
        found
        if end is None
        else [*found, Fault(at=end, id=ident, kind=kind, event=FaultEvent.HEALED, place=place)]
    )


_DOWN = {"h2": (30.0, 38.0), "h4": (30.0, 38.6)}
_PAUSED = {"h3": ((52.0, 64.0), (97.0, 109.0))}
_LOCKED = (76.0, 85.0)


def _call(rng: random.Random, n: int, at: float, records: list[AnyRecord]) -> None:
    """One call, its job and its execution, slowed and broken by whatever was going on at `at`."""
    handler = f"h{n % 5 + 1}"
    job = f"{rng.getrandbits(64):016x}"
    wait = max(0.0, _LOCKED[1] - at) if _LOCKED[0] <= at < _LOCKED[1] else 0.0
    if wait > 6:
        records.append(
            Operation(
                at=at + 5,
                id=n,
                workload="jobs",
                op="job.submit",
                place="scheduler",
                intended=at,
                start=at,
                end=at + 5,
                status=Status.INFO,
                error="timeout after 5 s",
            )
        )
        return
    took = wait + rng.lognormvariate(-5.2, 0.5)
    records.append(
        Operation(
            at=at + took,
            id=n,
            workload="jobs",
            op="job.submit",
            place="scheduler",
            intended=at,
            start=at + 0.0004,
            end=at + took,
            status=Status.OK,
            ref=job,
        )
    )
    begin, work, attempts, pid = at + took + 0.004, rng.lognormvariate(-3.0, 0.9), 1, 4100 + n % 5
    work = 0.6 if n in (356, 358) else work  # still running on h2 and h4 when these are killed
    for low, high in _PAUSED.get(handler, ()):
        begin = high + rng.random() * 2 if low <= begin < high else begin
    down = _DOWN.get(handler)
    if down and begin < down[0] < begin + work:
        records.append(
            Execution(at=down[0], handler=handler, request_id=job, method="work", start=begin, pid=pid)
        )
        if handler == "h4":  # the lost job of this run
            records.append(Job(at=121.0, job_id=job, handler=handler, method="work", started=begin, attempts=1))
            return
        attempts = 2
    if down and down[0] <= begin + work and begin < down[1]:
        begin = down[1] + rng.random() * 3
    bad = rng.random() < 0.004
    outcome = "error" if bad else "ok"
    records.append(
        Execution(
            at=begin + work,
            handler=handler,
            request_id=job,
            method="work",
            start=begin,
            end=begin + work,
            outcome=outcome,
            pid=pid,
        )
    )
    records.append(
        Job(
            at=121.0,
            job_id=job,
            handler=handler,
            method="work",
            started=begin,
            ended=begin + work,
            attempts=attempts,
            outcome="error" if bad else "success",
        )
    )


def chaos() -> Run:
    """A chaos run of two minutes with five handlers that failed: one job was lost when h4 was killed."""
    rng = random.Random(90210)
    records = phases(
        (PhaseName.SETUP, -3.2, -1.0),
        (PhaseName.STEADY, -1.0, 0.0),
        (PhaseName.RUN, 0.0, 120.0),
        (PhaseName.SETTLE, 120.0, 123.0),
        (PhaseName.TEARDOWN, 123.0, 124.6),
    )
    records += life("governor", 4000, -3.1, 124.5) + life("scheduler", 4001, -3.0, 124.2)
    for n in range(1, 6):
        down = _DOWN.get(f"h{n}")
        records += (
            life(f"h{n}", 4099 + n, -2.0, 124.0)
            if down is None
            else [*life(f"h{n}", 4099 + n, -2.0, down[0], -9), *life(f"h{n}", 4199 + n, down[1] - 0.5, 124.0)]
        )
    records += fault("crash", "process.kill", "h2", 30.0, 38.0, signal="KILL") + fault(
        "crash", "process.kill", "h4", 30.0, 38.6, signal="KILL"
    )
    records += fault("hang", "process.pause", "h3", 52.0, 64.0) + fault(
        "hang", "process.pause", "h3", 97.0, 109.0
    )
    records += fault("efsm", "zmq.state", "scheduler.req", 44.2, 44.3, how="abandon-reply") + fault(
        "busy", "store.locked", "store", *_LOCKED
    )
    records += fault("mute", "handler.silent", "h1", 90.0, 94.0)
    records.append(
        Fault(
            at=60.0,
            id="late",
            kind="handler.slow",
            event=FaultEvent.SKIPPED,
            place="h5",
            detail={"why": "never more than 2 faults at once"},
        )
    )
    records.append(Event(at=44.25, name="efsm-raised", place="scheduler.req"))
    for n in range(1440):
        _call(rng, n, n / 12, records)
    records += [Drop(at=t, workload="jobs", intended=t) for t in (80.1, 80.2, 80.3, 80.4)]
    for second in range(-1, 122):
        handlers = 5 - 2 * (30 < second <= 39) - (second in range(61, 65) or second in range(106, 110))
        records.append(Sample(at=float(second), name="registered-handlers", value=float(handlers)))
        backlog = (
            3
            + (second - 30) * 4 * (30 < second <= 39)
            + (second - 76) * 11 * (76 < second <= 85)
            + rng.randrange(4)
        )
        records.append(Sample(at=float(second), name="backlog", value=float(max(0, backlog))))
        for place, base in (("scheduler", 71e6), ("h1", 38e6)):
            records.append(
                Sample(
                    at=float(second), name="rss", value=base + second * 9e3 + rng.random() * 4e5, place=place
                )
            )
        records.append(
            Sample(at=float(second), name="fds", value=38.0 + (30 < second < 39) * 3, place="scheduler")
        )
    history = History(Header(scenario="chaos.handlers-under-fire", seed=90210, world="real"), records)
    lost = next(j for j in history.of(Job) if not j.outcome)
    verdict = Verdict(
        scenario="chaos.handlers-under-fire",
        seed=90210,
        world="real",
        outcome=Outcome.FAIL,
        duration=120.0,
        reason="no-lost-job failed: 1 of 1,404 accepted jobs has no outcome; h4 was killed while it ran.",
        checks=(
            CheckResult(
                name="runs-per-job",
                when="always",
                outcome=Outcome.PASS,
                samples=1404,
                summary="each job ran once or twice (max 2)",
            ),
            CheckResult(
                name="no-lost-job",
                when="always",
                outcome=Outcome.FAIL,
                samples=1404,
                line=15,
                summary="1 of 1,404 accepted jobs has no outcome",
                evidence=(
                    Evidence(
                        at=lost.started,
                        text=f"job {lost.job_id} accepted at 29.9 s (workload jobs, handler h4) has no outcome; "
                        "h4 was killed at 30 s (fault crash)",
                        data={"job": lost.job_id, "handler": "h4", "fault": "crash"},
                    ),
                ),
            ),
            CheckResult(
                name="within 30s of *.heal: backlog == 0",
                when="eventually",
                outcome=Outcome.UNKNOWN,
                samples=0,
                summary="no sample of backlog within the window of mute.heal",
            ),
            CheckResult(
                name="no-leaked-socket",
                when="finally",
                outcome=Outcome.FAIL,
                samples=7,
                known=True,
                summary="one socket more than at the start",
                evidence=(Evidence(text="scheduler keeps a REQ socket to h2's first life"),),
            ),
            CheckResult(
                name="no-orphan-process",
                when="finally",
                outcome=Outcome.PASS,
                samples=9,
                summary="9 processes looked at, none left",
            ),
            CheckResult(
                name="efsm-raised",
                when="sometimes",
                outcome=Outcome.PASS,
                samples=1,
                summary="seen once, at 44.25 s",
            ),
            CheckResult(
                name="jobs.latency p99 < 6s",
                when="thresholds",
                outcome=Outcome.PASS,
                samples=1400,
                summary="p99 is 5.21 s over 1,400 calls",
            ),
        ),
    )
    logs = {
        "scheduler.log": "\n".join(f"09:27:{n:02} info  job.sent handler=h{n % 5 + 1}" for n in range(40)),
        "h4.log": "09:27:20 warn  <script>alert(1)</script>",
    }
    return Run(history, verdict, manifest("chaos.handlers-under-fire", "chaos", 90210), logs)


def load(calls: int = 6000, rate: float = 50.0) -> Run:
    """A load run that passed: `calls` arrivals and as many executions on eight handlers."""
    rng = random.Random(4711)
    end = calls / rate
    records = phases(
        (PhaseName.SETUP, -2.0, 0.0),
        (PhaseName.RUN, 0.0, end),
        (PhaseName.SETTLE, end, end + 1),
        (PhaseName.TEARDOWN, end + 1, end + 2),
    )
    for n in range(calls):
        at, took = n / rate, rng.lognormvariate(-4.6, 0.6)
        handler = f"h{n % 8 + 1}"
        records.append(
            Operation(
                at=at + took,
                id=n,
                workload="steady" if n % 10 else "cron",
                op="job.submit",
                place="scheduler",
                intended=at,
                start=at,
                end=at + took,
                status=Status.OK,
                ref=f"{n:08x}",
                measured=at >= 10,
            )
        )
        records.append(
            Execution(
                at=at + took + 0.03,
                handler=handler,
                request_id=f"{n:08x}",
                method="work",
                start=at + took,
                end=at + took + 0.02 + rng.random() * 0.2,
                outcome="ok",
                pid=9000,
            )
        )
        records.append(
            Job(
                at=end + 1,
                job_id=f"{n:08x}",
                handler=handler,
                method="work",
                started=at + took,
                ended=at + took + 0.03,
                attempts=1,
                outcome="success",
            )
        )
    records += [Sample(at=float(t), name="registered-handlers", value=8.0) for t in range(int(end))]
    history = History(Header(scenario="load.steady", seed=4711, world="real"), records)
    verdict = Verdict(
        scenario="load.steady",
        seed=4711,
        world="real",
        outcome=Outcome.PASS,
        duration=end,
        reason="all 3 checks hold",
        checks=(
            CheckResult(
                name="no-lost-job",
                when="always",
                outcome=Outcome.PASS,
                samples=calls,
                summary=f"all {calls:,} accepted jobs have an outcome",
            ),
            CheckResult(
                name="steady.latency p99 < 400ms",
                when="thresholds",
                outcome=Outcome.PASS,
                samples=calls,
                summary="p99 is 40 ms",
            ),
            CheckResult(
                name="registered-handlers",
                when="finally",
                outcome=Outcome.PASS,
                samples=1,
                summary="8 handlers, expected 8",
            ),
        ),
    )
    return Run(
        history, verdict, manifest("load.steady", "load", 4711, about="Does the scheduler keep its promises?")
    )


def cycles() -> Run:
    """A run of 200 cycles in which one stop needed force."""
    rng = random.Random(7)
    records: list[AnyRecord] = phases((PhaseName.RUN, 0.0, 300.0))
    for n in range(200):
        at = n * 1.5
        for name, base in (("start", 0.7), ("stop", 0.25)):
            took = base * rng.lognormvariate(0, 0.2)
            bad = n == 117 and name == "stop"
            took = 15.0 if bad else took
            records.append(
                Step(
                    at=at + took,
                    cycle=n + 1,
                    step=name,
                    start=at,
                    end=at + took,
                    status=Status.FAIL if bad else Status.OK,
                    detail={"forced": True, "code": -9} if bad else {},
                )
            )
            at += took
        for name, value in (("rss", 5e7 + n * 900 + rng.random() * 1e5), ("fds", 31.0), ("threads", 6.0)):
            records.append(Sample(at=at, name=name, value=value, place="governor"))
    history = History(Header(scenario="cycles.governor", seed=7, world="real"), records)
    verdict = Verdict(
        scenario="cycles.governor",
        seed=7,
        world="real",
        outcome=Outcome.FAIL,
        duration=300.0,
        reason="stopped-cleanly failed in cycle 118",
        checks=(
            CheckResult(
                name="stopped-cleanly",
                when="each",
                outcome=Outcome.FAIL,
                samples=200,
                line=4,
                summary="1 of 200 stops needed force",
                evidence=(Evidence(at=176.2, text="cycle 118: stop took 15 s and needed SIGKILL"),),
            ),
        ),
    )
    return Run(history, verdict, manifest("cycles.governor", "cycles", 7, about=""))


def empty() -> Run:
    """A run in which nothing happened at all."""
    verdict = Verdict(
        scenario="load.empty", seed=0, world="real", outcome=Outcome.UNKNOWN, reason="nothing was judged"
    )
    return Run(
        History(Header(scenario="load.empty", seed=0, world="real")),
        verdict,
        manifest("load.empty", "load", 0, settings={}, source=""),
    )


def interrupted() -> Run:
    """The first 41 seconds of the chaos run: phases without end, faults never healed."""
    whole = chaos()
    kept = [r for r in whole.history.records if r.at < 37.0]
    verdict = Verdict(
        scenario="chaos.handlers-under-fire",
        seed=90210,
        world="real",
        outcome=Outcome.INTERRUPTED,
        duration=37.0,
        reason="stopped by Ctrl-C at 37 s; every fault was healed",
    )
    return Run(History(whole.history.header, kept), verdict, whole.manifest, whole.logs)


RUNS: dict[str, Callable[[], Run]] = {
    "chaos": chaos,
    "load": load,
    "cycles": cycles,
    "empty": empty,
    "interrupted": interrupted,
}


@pytest.fixture
def chaos_run() -> Run:
    """The failed chaos run."""
    return chaos()


@pytest.fixture
def load_run() -> Run:
    """The passed load run."""
    return load()


@pytest.fixture
def heavy_run() -> Run:
    """A load run of 20,000 calls."""
    return load(20_000, 80.0)


@pytest.fixture
def cycles_run() -> Run:
    """The run of 200 cycles."""
    return cycles()


@pytest.fixture
def empty_run() -> Run:
    """The run in which nothing happened."""
    return empty()


@pytest.fixture
def interrupted_run() -> Run:
    """The run that Ctrl-C ended."""
    return interrupted()


@pytest.fixture
def started() -> datetime:
    """A fixed moment of wall time."""
    return datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
