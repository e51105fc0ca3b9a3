"""Things that must be seen at least once, or else the run proved little.

A name is that of an `Event`, or one of those below, which can also be read off other records. What was not seen
leaves the check unknown: nothing was broken, but what the scenario is about did not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from harness.checks.base import Case
from harness.checks.evidence import Finding, Problem, conclude, many, moment, short, shown
from harness.checks.strikes import Strikes
from harness.checks.verdict import Outcome
from harness.history.records import Event, Execution, Fault, FaultEvent, Job, MetBy, Sample


def judge(case: Case, name: str) -> Finding:
    """Look for the event of that name, and for what amounts to it."""
    seen = [*_events(case, name), *(_DERIVED[name](case) if name in _DERIVED else ())]
    if not seen:
        nothing = f"{name} was never seen in {many(len(case.history.records), 'record')}: the run proved little"
        return Finding(Outcome.UNKNOWN, 0, nothing)
    found = conclude(
        (), samples=len(seen), broken="", good=f"{name} was seen {many(len(seen), 'time')}", nothing=""
    )
    first = shown(sorted(seen, key=lambda sighting: (sighting.at, sighting.text))[:1])
    return Finding(found.outcome, found.samples, found.summary, first)


def _events(case: Case, name: str) -> Iterator[Problem]:
    for event in case.history.of(Event):
        if event.name == name:
            place = f" at {event.place}" if event.place else ""
            yield Problem(0, event.at, f"{name}{place} at {moment(event.at)}")


def _job_retried(case: Case) -> Iterator[Problem]:
    for job in case.history.of(Job):
        if job.attempts > 1:
            at = job.ended if job.ended is not None else job.at
            yield Problem(0, at, f"job {short(job.job_id)} needed {job.attempts} attempts until {moment(at)}")


def _handler_busy(case: Case) -> Iterator[Problem]:
    by_handler: dict[str, list[Execution]] = {}
    for run in case.history.of(Execution):
        if run.end is not None:
            by_handler.setdefault(run.handler, []).append(run)
    for handler, runs in by_handler.items():
        until = float("-inf")
        for run in sorted(runs, key=lambda run: (run.start, run.end, run.request_id)):
            if run.start < until:
                yield Problem(0, run.start, f"{handler} worked on two jobs at once at {moment(run.start)}")
            until = max(until, run.end or run.start)


def _fault_injected(case: Case) -> Iterator[Problem]:
    for fault in case.history.of(Fault):
        if fault.event is FaultEvent.INJECTED:
            place = f" at {fault.place}" if fault.place else ""
            yield Problem(0, fault.at, f"{fault.id} ({fault.kind}{place}) was injected at {moment(fault.at)}")


def _fault_struck(case: Case) -> Iterator[Problem]:
    """Calls that met what was done to their handler; strikes of sockets are events of that name."""
    strikes = Strikes(case)
    for injection in [one for injections in strikes.injected.values() for one in injections]:
        if injection.detail.get("met_by") == MetBy.CALLS and (at := strikes.first(injection)) is not None:
            text = f"a call met {injection.id} ({injection.kind} at {injection.place}) at {moment(at)}"
            yield Problem(0, at, text)


def _handler_reregistered(case: Case) -> Iterator[Problem]:
    """The number of registered handlers rose again after it had fallen."""
    samples = [sample for sample in case.history.of(Sample) if sample.name == "registered-handlers"]
    fallen = False
    for before, after in pairwise(samples):
        fallen = fallen or after.value < before.value
        if fallen and after.value > before.value:
            text = (
                f"registered handlers rose again from {before.value:g} to {after.value:g} at {moment(after.at)}"
            )
            yield Problem(0, after.at, text)


_DERIVED: Mapping[str, Callable[[Case], Iterator[Problem]]] = {
    "job-retried": _job_retried,
    "handler-busy": _handler_busy,
    "fault-injected": _fault_injected,
    "fault-struck": _fault_struck,
    "handler-reregistered": _handler_reregistered,
}

KNOWN: Mapping[str, str] = {
    "job-retried": "a job needed more than one attempt",
    "handler-busy": "a handler worked on two jobs at once",
    "fault-injected": "a fault of the plan was injected",
    "handler-reregistered": "a handler registered again after it had been gone",
    "efsm-raised": "a REQ socket refused to send or receive (EFSM) and was replaced",
    "lease-expired": "the scheduler's lease on a job ran out",
    "client-recovered": "a ZeroMQ client replaced its socket",
    "fault-struck": "a fault inside a process of the target acted: on a socket that was used, on a call of a handler",
}
"""The names that can be seen on any target, with what each means."""
