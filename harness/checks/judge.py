"""The judgement on one run: every check and threshold of its scenario, applied to its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from harness.checks import eventually, faults_injected, load_answered, load_sent, sometimes, steps_done, thresholds
from harness.checks.base import Case, Check, Section, registered, spelled
from harness.checks.evidence import Finding
from harness.checks.summing_up import sum_up
from harness.checks.verdict import CheckResult, Evidence, Outcome
from harness.errors import UsageError
from harness.history.history import History, encode_line
from harness.history.metrics import metric
from harness.history.records import AnyRecord
from harness.history.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.scenario.model import CheckSpec, Scenario

__all__ = ["Lines", "Task", "judge", "sum_up"]

Lines = Callable[[str], int]
"""The line in the file of what stands at a path such as ``checks.always.0``; 0 if unknown."""


class Task(NamedTuple):
    """One thing to judge: how the report calls it, where it stands, and how to judge it."""

    name: str
    section: Section
    path: str
    judge: Callable[[Case], Finding]


def judge(scenario: Scenario, history: History, *, lines: Lines = lambda path: 0) -> tuple[CheckResult, ...]:
    """Judge everything that the scenario demands, in the order of the file.

    A check that fails by a mistake of its own comes out unknown, with the mistake as evidence, and the others
    are still judged. Raises `UsageError` for checks, arguments or metrics that do not exist, before anything is
    judged.
    """
    tasks = [*_checks(scenario, history), *_expectations(scenario), *_thresholds(scenario, history)]
    case = Case(_in_one_order(history), scenario, Section.ALWAYS)
    return tuple(_result(task, case.within(task.section), lines) for task in tasks)


def _in_one_order(history: History) -> History:
    """The same history, with records of one instant in an order that does not depend on who appended first."""
    records: list[AnyRecord] = []
    for _, instant in groupby(history.records, key=lambda record: record.at):
        tied = list(instant)
        records += sorted(tied, key=encode_line) if len(tied) > 1 else tied
    return History(history.header, records, history.torn)


def _result(task: Task, case: Case, lines: Lines) -> CheckResult:
    try:
        found = task.judge(case)
    except Exception as error:  # noqa: BLE001 - a mistake in one check must not hide what the others say
        text = f"the check itself failed: {type(error).__name__}: {error}"
        found = Finding(Outcome.UNKNOWN, 0, text, (Evidence(text=text),))
    return CheckResult(
        name=task.name,
        when=task.section.value,
        outcome=found.outcome,
        samples=found.samples,
        summary=found.summary,
        evidence=found.evidence,
        line=lines(task.path),
        known=case.scenario.known is not None and found.outcome is Outcome.FAIL,
    )


def _checks(scenario: Scenario, history: History) -> Iterator[Task]:
    known = registered()
    places: Sequence[tuple[Section, str, tuple[CheckSpec, ...]]] = (
        (Section.ALWAYS, "checks.always", scenario.checks.always),
        (Section.FINALLY, "checks.finally", scenario.checks.finally_),
        (Section.EACH, "checks.each", scenario.checks.each),
        (Section.THEN, "then", scenario.then),
    )
    for section, path, specs in places:
        for index, spec in enumerate(specs):
            yield _task(known, spec, section, f"{path}.{index}")
    named = {spelled(spec)[0] for _, _, specs in places for spec in specs}
    if scenario.cycles is not None and steps_done.NAME not in named:
        yield _task(known, steps_done.NAME, Section.ALWAYS, "cycles")
    if scenario.faults and faults_injected.NAME not in named:
        yield _task(known, faults_injected.NAME, Section.ALWAYS, "faults")
    if load_sent.NAME not in named and load_sent.has_something_to_say(scenario, history):
        yield _task(known, load_sent.NAME, Section.ALWAYS, "workload")
    if load_answered.NAME not in named and load_answered.has_something_to_say(scenario, history):
        yield _task(known, load_answered.NAME, Section.ALWAYS, "workload")


def _task(known: Mapping[str, Check], spec: CheckSpec, section: Section, path: str) -> Task:
    name, value = spelled(spec)
    if name not in known:
        raise UsageError(f"{path}: there is no check {name!r}; known: {', '.join(sorted(known))}")
    check = known[name]
    if section not in check.sections:
        allowed = ", ".join(sorted(allowed.value for allowed in check.sections))
        raise UsageError(f"{path}: {name} cannot stand under {section.value}, but under: {allowed}")
    args = check.parse(value)
    told = (
        ""
        if args is None
        else " "
        + ", ".join(
            f"{key} {_told(item)}"
            for key, item in args.model_dump(exclude_none=True, exclude_defaults=True).items()
        )
    )
    return Task((name + told).strip(), section, path, lambda case: check.judge(case, args))


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _expectations(scenario: Scenario) -> Iterator[Task]:
    for index, expect in enumerate(scenario.checks.eventually):
        goal = ", ".join(f"{name} {bound}" for name, bound in expect.expect.items())
        name = f"{goal} after {expect.after or 'the run'}"
        path = f"checks.eventually.{index}"
        yield Task(name, Section.EVENTUALLY, path, partial(eventually.judge, expect=expect))
    for index, wanted in enumerate(scenario.checks.sometimes):
        path = f"checks.sometimes.{index}"
        yield Task(wanted, Section.SOMETIMES, path, partial(sometimes.judge, name=wanted))


def _thresholds(scenario: Scenario, history: History) -> Iterator[Task]:
    for subject, bounds in scenario.thresholds.items():
        series: Series = metric(history, scenario, subject)
        for index, bound in enumerate(bounds):
            path = f"thresholds.{subject}.{index}"
            one = partial(thresholds.judge, threshold=bound, series=series)
            yield Task(f"{subject} {bound.expr}", Section.THRESHOLDS, path, one)
