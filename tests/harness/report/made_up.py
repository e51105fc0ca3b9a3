"""Made-up runs that look like real ones: every figure that a report shows can be counted in them by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

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


def check(name: str, when: str, outcome: Outcome, samples: int, summary: str, **more: Any) -> CheckResult:
    """One result of a check."""
    return CheckResult(name=name, when=when, outcome=outcome, samples=samples, summary=summary, **more)


def judged(history: History, outcome: Outcome, reason: str, duration: float, *checks: CheckResult) -> Verdict:
    """The verdict on `history`."""
    head = history.header
    return Verdict(
        scenario=head.scenario,
        seed=head.seed,
        world="real",
        outcome=outcome,
        reason=reason,
        duration=duration,
        checks=checks,
    )


def answered(n: int, workload: str, at: float, took: float, **more: Any) -> Operation:
    """One call that was answered well after `took` seconds, unless `more` says otherwise."""
    values = {"op": "job.submit", "place": "scheduler", "status": Status.OK, **more}
    return Operation(at=at + took, id=n, workload=workload, intended=at, start=at, end=at + took, **values)


def ran(handler: str, job: str, start: float, end: float | None, pid: int, outcome: str = "ok") -> Execution:
    """One execution; one without an end was recorded at its start."""
    return Execution(
        at=start if end is None else end,
        handler=handler,
        request_id=job,
        method="work",
        start=start,
        end=end,
        outcome="" if end is None else outcome,
        pid=pid,
    )


def job(at: float, ident: str, handler: str, started: float, ended: float | None, **more: Any) -> Job:
    """One job of the scheduler's log; without an end it has no outcome."""
    values = {"outcome": "" if ended is None else "success", "attempts": 1, **more}
    return Job(at=at, job_id=ident, handler=handler, method="work", started=started, ended=ended, **values)


def phases(*marks: tuple[PhaseName, float, float]) -> list[AnyRecord]:
    """Begin and end of each phase."""
    edges = [
        (name, edge, at) for name, begin, end in marks for edge, at in ((Edge.BEGIN, begin), (Edge.END, end))
    ]
    return [Phase(at=at, name=name, edge=edge) for name, edge, at in edges]


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
    handler, ident = f"h{n % 5 + 1}", f"{rng.getrandbits(64):016x}"
    wait = max(0.0, _LOCKED[1] - at) if _LOCKED[0] <= at < _LOCKED[1] else 0.0
    if wait > 6:
        records.append(answered(n, "jobs", at, 5.0, status=Status.INFO, error="timeout after 5 s"))
        return
    took = wait + rng.lognormvariate(-5.2, 0.5)
    records.append(answered(n, "jobs", at, took, ref=ident))
    begin, work, attempts, pid = at + took + 0.004, rng.lognormvariate(-3.0, 0.9), 1, 4100 + n % 5
    work = 0.6 if n in (356, 358) else work  # still running on h2 and h4 when these are killed
    for low, high in _PAUSED.get(handler, ()):
        begin = high + rng.random() * 2 if low <= begin < high else begin
    down = _DOWN.get(handler)
    if down and begin < down[0] < begin + work:
        records.append(ran(handler, ident, begin, None, pid))
        if handler == "h4":  # the lost job of this run
            records.append(job(121.0, ident, handler, begin, None))
            return
        attempts = 2
    if down and down[0] <= begin + work and begin < down[1]:
        begin, pid = down[1] + rng.random() * 3, pid + 100
    outcome = "error" if n % 250 == 249 else "ok"
    records.append(ran(handler, ident, begin, begin + work, pid, outcome))
    records.append(job(121.0, ident, handler, begin, begin + work, attempts=attempts))


def _chaos_faults() -> list[AnyRecord]:
    skipped = {"why": "never more than 2 faults at once"}
    return [
        *fault("crash", "process.kill", "h2", 30.0, 38.0, signal="KILL"),
        *fault("crash", "process.kill", "h4", 30.0, 38.6, signal="KILL"),
        *fault("efsm", "zmq.state", "scheduler.req", 44.2, 44.3, how="abandon-reply"),
        *fault("hang", "process.pause", "h3", 52.0, 64.0),
        *fault("hang", "process.pause", "h3", 97.0, 109.0),
        *fault("busy", "store.locked", "store", *_LOCKED),
        *fault("mute", "handler.silent", "h1", 90.0, 94.0),
        Fault(at=60.0, id="late", kind="handler.slow", event=FaultEvent.SKIPPED, place="h5", detail=skipped),
    ]


def _chaos_samples(rng: random.Random) -> list[AnyRecord]:
    found: list[AnyRecord] = []
    for second in range(-1, 122):
        at, down = float(second), 30 < second <= 39
        paused = second in range(61, 65) or second in range(106, 110)
        found.append(Sample(at=at, name="registered-handlers", value=5.0 - 2 * down - paused))
        backlog = 3 + (second - 30) * 4 * down + (second - 76) * 11 * (76 < second <= 85) + rng.randrange(4)
        found.append(Sample(at=at, name="backlog", value=float(backlog)))
        for place, base in (("scheduler", 71e6), ("h1", 38e6)):
            found.append(Sample(at=at, name="rss", value=base + second * 9e3 + rng.random() * 4e5, place=place))
        found.append(Sample(at=at, name="fds", value=38.0 + 3 * down, place="scheduler"))
    return found


def _chaos_checks(lost: Job) -> tuple[CheckResult, ...]:
    text = f"job {lost.job_id} accepted at 29.8 s (workload jobs, h4) has no outcome; h4 was killed at 30 s"
    evidence = Evidence(
        at=lost.started, text=text, data={"job": lost.job_id, "handler": "h4", "fault": "crash"}
    )
    socket = Evidence(text="scheduler keeps a REQ socket to h2's first life")
    return (
        check("runs-per-job", "always", Outcome.PASS, 1404, "each job ran once or twice (max 2)"),
        check(
            "no-lost-job",
            "always",
            Outcome.FAIL,
            1404,
            "1 of 1,404 accepted jobs has no outcome",
            line=15,
            evidence=(evidence,),
        ),
        check(
            "within 30s of *.heal: backlog == 0", "eventually", Outcome.UNKNOWN, 0, "no sample after mute.heal"
        ),
        check(
            "no-leaked-socket",
            "finally",
            Outcome.FAIL,
            7,
            "one socket more than at the start",
            known=True,
            evidence=(socket,),
        ),
        check("no-orphan-process", "finally", Outcome.PASS, 9, "9 processes looked at, none left"),
        check("efsm-raised", "sometimes", Outcome.PASS, 1, "seen once, at 44.25 s"),
        check("jobs.latency p99 < 6s", "thresholds", Outcome.PASS, 1404, "p99 is 4.84 s over 1,404 calls"),
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
        begin = -2.0
        if down := _DOWN.get(f"h{n}"):
            records += life(f"h{n}", 4099 + n, begin, down[0], -9)
            begin = down[1] - 0.5
        records += life(f"h{n}", 4099 + n + 100 * bool(down), begin, 124.0)
    records += _chaos_faults()
    records.append(Event(at=44.25, name="efsm-raised", place="scheduler.req"))
    for n in range(1440):
        _call(rng, n, n / 12, records)
    records += [Drop(at=t, workload="jobs", intended=t) for t in (80.1, 80.2, 80.3, 80.4)]
    records += _chaos_samples(rng)
    history = History(Header(scenario="chaos.handlers-under-fire", seed=90210, world="real"), records)
    lost = next(j for j in history.of(Job) if not j.outcome)
    reason = "no-lost-job failed: 1 of 1,404 accepted jobs has no outcome; h4 was killed while it ran."
    logs = {
        "scheduler.log": "\n".join(f"09:27:{n:02} info  job.sent handler=h{n % 5 + 1}" for n in range(40)),
        "h4.log": "09:27:20 warn  <script>alert(1)</script>",
    }
    verdict = judged(history, Outcome.FAIL, reason, 120.0, *_chaos_checks(lost))
    return Run(history, verdict, manifest("chaos.handlers-under-fire", "chaos", 90210), logs)


def load(calls: int = 6000, rate: float = 50.0) -> Run:
    """A load run that passed: `calls` arrivals, as many executions on eight handlers; each 10th is cron's."""
    rng = random.Random(4711)
    end = calls / rate
    records = phases((PhaseName.SETUP, -2.0, 0.0), (PhaseName.RUN, 0.0, end), (PhaseName.SETTLE, end, end + 1))
    for n in range(calls):
        at, took, work = n / rate, rng.lognormvariate(-4.6, 0.6), 0.02 + rng.random() * 0.2
        handler, ident, workload = f"h{n % 8 + 1}", f"{n:08x}", "steady" if n % 10 else "cron"
        records.append(answered(n, workload, at, took, ref=ident, measured=at >= 10))
        records.append(ran(handler, ident, at + took, at + took + work, 9000))
        records.append(job(end + 1, ident, handler, at + took, at + took + work))
    records += [Sample(at=float(t), name="registered-handlers", value=8.0) for t in range(int(end))]
    history = History(Header(scenario="load.steady", seed=4711, world="real"), records)
    verdict = judged(
        history,
        Outcome.PASS,
        "all 3 checks hold",
        end,
        check("no-lost-job", "always", Outcome.PASS, calls, f"all {calls:,} accepted jobs have an outcome"),
        check("steady.latency p99 < 400ms", "thresholds", Outcome.PASS, calls, "p99 is 40 ms"),
        check("registered-handlers", "finally", Outcome.PASS, 1, "8 handlers, expected 8"),
    )
    return Run(history, verdict, manifest("load.steady", "load", 4711, about="Does it keep its promises?"))


def cycles() -> Run:
    """A run of 200 cycles in which the stop of cycle 118 needed force after 15 s."""
    rng = random.Random(7)
    records = phases((PhaseName.RUN, 0.0, 330.0))
    for n in range(1, 201):
        at = n * 1.5
        for name, base in (("start", 0.7), ("stop", 0.25)):
            bad = n == 118 and name == "stop"
            took = 15.0 if bad else base * rng.lognormvariate(0, 0.2)
            status, detail = (Status.FAIL, {"forced": True, "code": -9}) if bad else (Status.OK, {})
            records.append(
                Step(at=at + took, cycle=n, step=name, start=at, end=at + took, status=status, detail=detail)
            )
            at += took
        for name, value in (("rss", 5e7 + n * 900 + rng.random() * 1e5), ("fds", 31.0), ("threads", 6.0)):
            records.append(Sample(at=at, name=name, value=value, place="governor"))
    history = History(Header(scenario="cycles.governor", seed=7, world="real"), records)
    evidence = Evidence(at=177.7, text="cycle 118: stop took 15 s and needed SIGKILL")
    clean = check(
        "stopped-cleanly", "each", Outcome.FAIL, 200, "1 of 200 stops needed force", evidence=(evidence,)
    )
    verdict = judged(history, Outcome.FAIL, "stopped-cleanly failed in cycle 118", 330.0, clean)
    return Run(history, verdict, manifest("cycles.governor", "cycles", 7, about="", source=""))


def empty() -> Run:
    """A run in which nothing happened at all."""
    history = History(Header(scenario="load.empty", seed=0, world="real"))
    verdict = judged(history, Outcome.UNKNOWN, "nothing was judged", 0.0)
    return Run(history, verdict, manifest("load.empty", "load", 0, settings={}, source=""))


def interrupted() -> Run:
    """The first 37 seconds of the chaos run: phases without end, two kills never healed."""
    whole = chaos()
    history = History(whole.history.header, [r for r in whole.history.records if r.at < 37.0])
    verdict = judged(history, Outcome.INTERRUPTED, "stopped by Ctrl-C at 37 s", 37.0)
    return Run(history, verdict, whole.manifest, whole.logs)


RUNS = {"chaos": chaos, "load": load, "cycles": cycles, "empty": empty, "interrupted": interrupted}
