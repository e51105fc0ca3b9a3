"""The judgement on a whole run."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.checks import no_lost_job, registry
from harness.checks.base import Case, Check, Section
from harness.checks.evidence import Finding
from harness.checks.judge import judge
from harness.checks.verdict import Outcome
from harness.errors import UsageError
from harness.history.history import History
from harness.history.records import AnyRecord, Fault, FaultEvent, Header
from harness.scenario.model import Scenario

EVERYTHING: dict[str, Any] = {
    "checks": {
        "always": ["no-lost-job", {"runs-per-job": {"max": 1}}, "history-explainable"],
        "eventually": [{"after": "*.heal", "within": "5s", "expect": {"registered-handlers": 5, "backlog": 0}}],
        "finally": ["no-orphan-process", {"registered-handlers": {"count": 5}}],
        "each": ["stopped-cleanly"],
        "sometimes": ["handler-busy", "job-retried", "handler-reregistered"],
    },
    "thresholds": {"steady.latency": ["p99 < 400ms", "max < 1s"], "steady.lateness": ["p50 < 1s"]},
    "then": [{"runs": {"of": "steady", "max": 3}}],
}


def test_everything_that_is_demanded_is_judged_in_order(scenario: Callable[..., Scenario]) -> None:
    """One result for each entry, named as in the file, with its section and its line."""
    lines = {"checks.always.1": 12, "thresholds.steady.latency.1": 40}

    results = judge(scenario(**EVERYTHING), History(Header()), lines=lambda path: lines.get(path, 0))

    assert [(r.name, r.when, r.line) for r in results] == [
        ("no-lost-job", "always", 0),
        ("runs-per-job max 1", "always", 12),
        ("history-explainable", "always", 0),
        ("no-orphan-process", "finally", 0),
        ("registered-handlers count 5", "finally", 0),
        ("stopped-cleanly", "each", 0),
        ("runs of steady, max 3", "then", 0),
        ("registered-handlers 5, backlog 0 after *.heal", "eventually", 0),
        ("handler-busy", "sometimes", 0),
        ("job-retried", "sometimes", 0),
        ("handler-reregistered", "sometimes", 0),
        ("steady.latency p99 < 400ms", "thresholds", 0),
        ("steady.latency max < 1s", "thresholds", 40),
        ("steady.lateness p50 < 1s", "thresholds", 0),
    ]


def test_an_empty_history_passes_nothing(scenario: Callable[..., Scenario]) -> None:
    """Whatever is demanded, a run in which nothing was recorded leaves all of it unknown, with no samples."""
    results = judge(scenario(**EVERYTHING), History(Header()))

    assert {result.outcome for result in results} == {Outcome.UNKNOWN}
    assert {result.samples for result in results} == {0}


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (
            {"checks": {"always": ["no-lost-jobs"]}},
            "checks.always.0: there is no check 'no-lost-jobs'; known: bounded, brought-back,",
        ),
        (
            {"checks": {"each": ["no-lost-job"]}},
            "no-lost-job cannot stand under each, but under: always, finally, then",
        ),
        ({"checks": {"always": [{"no-lost-job": {"a": 1}}]}}, "the check no-lost-job takes no arguments"),
        ({"thresholds": {"steady.speed": ["p50 < 1s"]}}, "there is no metric 'steady.speed'"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(
    scenario: Callable[..., Scenario], demand: dict[str, Any], message: str
) -> None:
    """A check, a section, an argument or a metric that does not exist is told before anything is judged."""
    with pytest.raises(UsageError, match=message):
        judge(scenario(**demand), History(Header()))


def test_a_mistake_in_one_check_does_not_hide_the_others(
    scenario: Callable[..., Scenario], monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    """The broken check is unknown and says so; the next one is judged."""

    def broken(case: Case, args: None) -> Finding:
        raise ZeroDivisionError("oops")

    check = Check(name="broken", about="", judge=broken, sections=frozenset({Section.ALWAYS}))
    monkeypatch.setattr(registry, "BUILT_IN", (check, no_lost_job.CHECK))
    demand = {"checks": {"always": ["broken", "no-lost-job"]}}

    first, second = judge(scenario(**demand), History(Header(), [write.op(1, "a")]))

    assert (first.outcome, first.summary) == (
        Outcome.UNKNOWN,
        "the check itself failed: ZeroDivisionError: oops",
    )
    assert second.outcome is Outcome.FAIL


def test_failures_of_a_scenario_with_a_known_defect_are_marked(
    scenario: Callable[..., Scenario], write: Any
) -> None:
    """Only failures are known; what is unknown is not."""
    demand = {
        "checks": {"always": ["no-lost-job"], "finally": ["ports-free"]},
        "known": {"issue": "a/b#1", "until": "9"},
    }

    results = judge(scenario(**demand), History(Header(), [write.op(1, "a")]))

    assert [(r.outcome, r.known) for r in results] == [(Outcome.FAIL, True), (Outcome.UNKNOWN, False)]


def crowded(write: Any, draw: random.Random) -> list[AnyRecord]:
    """Many records at few instants, with every kind of trouble among them."""
    records: list[AnyRecord] = []
    for number in range(40):
        at, job = float(draw.randint(0, 3)), f"j{draw.randint(0, 9)}"
        records += [
            draw.choice(
                [
                    write.op(at, job, intended=at - draw.choice([0.1, 5.0])),
                    write.job(job, draw.choice(["success", "error", ""]), attempts=draw.randint(0, 2)),
                    write.run(job, at, draw.choice([at, at + 1]), handler=draw.choice(["h1", "h2"])),
                    write.sample(at, draw.choice(["registered-handlers", "backlog"]), draw.choice([0, 5])),
                    Fault(
                        at=at, id=draw.choice("fg"), kind="k", place="h2",
                        event=draw.choice([FaultEvent.INJECTED, FaultEvent.HEALED]),
                    ),
                    write.audit("processes", {"pid": number}),
                    write.step(draw.randint(1, 2), "stop", code=draw.choice([0, 1])),
                ]
            )
        ]  # fmt: skip
    return records


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_records_of_one_instant_changes_nothing(
    scenario: Callable[..., Scenario], write: Any, seed: int
) -> None:
    """Which of two threads appended first at an instant must not decide a verdict, nor its evidence."""
    draw = random.Random(seed)
    records = [*write.phases(), *crowded(write, draw)]
    shuffled = draw.sample(records, len(records))
    demand = scenario(**EVERYTHING)

    assert judge(demand, History(Header(), records)) == judge(demand, History(Header(), shuffled))
