"""What a wrong shape is called, and where its caret stands."""

# ruff: noqa: E501 - a table is read by its rows

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import BaseModel

from harness.scenario.model import Scenario
from harness.scenario.problems import Problem
from harness.scenario.shape import validate
from harness.scenario.values import FakerRef

Mistake = Callable[..., Problem]


def test_unknown_key(mistake: Mistake) -> None:
    """An unknown key is shown at the key, with the keys there are and a guess."""
    problem = mistake("chaos", "seed: 90210", "sede: 90210")
    assert (problem.message, problem.hint) == ("unknown key 'sede'", "did you mean 'seed'?")


def test_unknown_key_below(mistake: Mistake) -> None:
    """The keys that are offered are those of the part that the key stands in."""
    problem = mistake("chaos", "settle: 20s", "setle: 20s")
    assert (problem.expected, problem.hint) == ("one of run, settle, setup, teardown", "did you mean 'settle'?")


def test_keys_of_other_issues_are_unknown(mistake: Mistake) -> None:
    """A key that this version does not know yet is refused, not ignored."""
    assert mistake("chaos", "seed: 90210", "matrix: {a: [1]}", at="matrix").message == "unknown key 'matrix'"


def test_key_on_is_explained(mistake: Mistake) -> None:
    """``on``, which YAML 1.1 reads as true, is no key here, and the error says which is."""
    problem = mistake("chaos", "where: h1, every", "on: h1, every", at="on")
    assert problem.hint == "write `where`"


def test_missing_key(mistake: Mistake) -> None:
    """A missing key is shown at the mapping that lacks it."""
    problem = mistake("chaos", "  - id: jobs\n    op: job.submit\n", "  - id: jobs\n", at="id: jobs")
    assert problem.message == "`op` is missing"


@pytest.mark.parametrize(
    ("old", "new", "at", "message", "expected"),
    [
        ("seed: 90210", "seed: x", "x", "does not fit", "a whole number"),
        ("seed: 90210", "seed: true", "true", "does not fit", "a whole number"),
        ("seed: 90210", "seed: -1", "-1", "out of bounds", "at least 0"),
        ("seed: 90210", "seed: 1.5", "1.5", "does not fit", "a whole number"),
        ("count: 5,", "count: 5000,", "5000", "out of bounds", "at most 1000"),
        ("about: Jobs survive two dead handlers.", "about: 3", "3", "does not fit", "text"),
        ("worlds: [real]", "worlds: real", "real", "does not fit", "a list"),
        ("worlds: [real]", "worlds: []", "[]", "out of bounds", "at least 1 of them"),
        ("limits: {run: 40s, settle: 20s}", "limits: 40s", "40s", "does not fit", "a mapping"),
        ("run: 40s", "run: 40", "40", "a bare number says no unit", "a duration such as 250ms, 2s or 5min"),
        ("run: 40s", "run: 40 parsecs", "40 parsecs", "not a duration", "a duration such as 250ms, 2s or 5min"),
        ("run: 40s", "run: -40s", "-40s", "out of bounds", "more than 0"),
        ("run: 40s", "run: [40s]", "[40s]", "not a duration", "a duration such as 250ms, 2s or 5min"),
        ("every: 4s..6s", "every: 6s..4s", "6s..4s", "the range ends before it begins", ""),
        ("every: 4s..6s", "every: 50", "50", "not text", "text such as 1ms..4ms"),
        ("10/s -> 20/s", "ten", "ten", "not a rate", "a rate such as 20/s or 20/s -> 40/s"),
        ("[ratio < 1%]", "[ratio under 1%]", "ratio under", "not a comparison", "a comparison such as 'p99 < 400ms' or '>= 3'"),
        ("{backlog: 0}", "{}", "{}", "out of bounds", "at least 1 of them"),
        ("restart: always", "restart: allways", "allways", "`restart` has no such value", "one of always, never, on-failure"),
        ("kind: chaos", "kind: kaos", "kaos", "`kind` has no such value", "one of chaos, cycles, load, regression"),
        ("name: chaos.two-dead", "name: Chaos One", "Chaos One", "does not fit",
         "lower-case letters, digits, '.', '_' and '-', such as chaos.handler-kill"),
        ("where: {handlers: 2}", "where: [h1]", "[h1]", "does not fit", "text or a mapping"),
        ("where: {handlers: 2}", "where: {handlers: [2]}", "[2]", "does not fit", "a whole number or text"),
        ("where: {handlers: 2}", "where: {handlers: 2, x: 1}", "{handlers", "expected one group", "such as {handlers: 2}"),
        ("service: {p50: 50ms, p99: 400ms}", "service: 50", "50", "a bare number says no unit",
         "a duration such as 250ms, 2s or 5min"),
        ("p99: 400ms", "p99: 4ms", "4ms", "p99 lies below p50", ""),
        ('"h{n}"', "hx", "hx", "5 handlers would share one name", "{n} in the name"),
        ("- no-lost-job", "- [no-lost-job]", "[", "not a check",
         "a name, or a name with arguments such as {runs-per-job: {max: 1}}"),
        ("{runs-per-job: {max: 2}}", "{runs-per-job: {max: 2}, no-lost-job: {}}", "{",
         "one entry names one check, not 2 (runs-per-job, no-lost-job)", ""),
    ],
)  # fmt: skip
def test_wrong_value(mistake: Mistake, old: str, new: str, at: str, message: str, expected: str) -> None:
    """Each kind of wrong value is named in the words of the file, and shown where it stands."""
    begin = new.index(at)
    problem = mistake("chaos", old, new, at=new[begin:])
    assert (problem.message, problem.expected) == (message, expected)


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("seed: 90210", "seed: 1\nseeds: {count: 2}", "seeds", "give `seed` or `seeds`, not both"),
        ("    for: 30s\n", "", "rate: 10/s", "`rate` needs `for`: how long?"),
        ("    rate: 10/s -> 20/s\n    for: 30s\n", "", "id: jobs", "an open workload needs a rate"),
        ("    for: 30s\n", "    for: 30s\n    stages: [{for: 1s, rate: 1/s}]\n", "rate: 10/s",
         "an open workload has either `rate` with `for`, or `stages`, not both"),
        ("model: once, count: 3", "model: once, rate: 3/s", "rate: 3/s", "`rate` belongs to a workload of model `open`"),
        ("model: once, count: 3", "model: closed", "{id: cron", "a closed workload needs `for` or `count`"),
        ("model: once, count: 3", "model: once, for: 3s", "for: 3s",
         "a workload of model `once` has `count`, no rate and no length"),
        ("id: hang", "id: crash", "crash, kind: process.pause", "two entries of faults have the id 'crash'"),
        ("at: 5s, restart", "at: 5s, every: 2s, restart", "every: 2s", "a fault has one trigger, not `at` and `every`"),
        ("at: 5s, restart", "from: 5s, restart", "from: 5s", "`from` needs `to`"),
        ("at: 5s, restart", "from: 5s, to: 4s, restart", "4s, restart", "the window ends before it begins"),
        ("at: 5s, restart", "at: 5s, to: 9s, restart", "to: 9s", "`to` needs `from`"),
        ("every: 4s..6s", "every: 0s..6s", "0s..6s", "`every` leaves no time between two faults"),
        ("every: 4s..6s, for: 2s", "at: 3s, for: 2s, keep: true", "keep",
         "a fault that is kept has no length: give `for` or `keep: true`"),
        ("every: 4s..6s, ", "", "{id: hang", "nothing says when"),
        ("every: 4s..6s", "when: {event: job.sent}", "{event", "`when` needs exactly one of `nth` and `odds`"),
        ("every: 4s..6s", "when: {event: job.sent, odds: 3}", "3}", "a bare number says no unit"),
        ("every: 4s..6s", "when: {event: job.sent, odds: 300%}", "300%}", "odds lie between 0% and 100%"),
        ("kind: chaos\n", "kind: cycles\n", "cycles", "a scenario of kind `cycles` needs `cycles`"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_together(mistake: Mistake, old: str, new: str, at: str, message: str) -> None:
    """Keys that exclude or need each other are shown at the key that is to be changed."""
    assert mistake("chaos", old, new, at=at).message == message


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("mix: [8, 1]", "mix: [8]", "[8]", "`mix` gives one weight for each of `how`"),
        ("mix: [8, 1]", "mix: [0, 0]", "[0, 0]", "every weight is 0"),
        ("{bounce: h1}", "{bounce: h1, add: h2}", "{", "a step does one thing"),
        ("{bounce: h1}", "{bonce: h1}", "bonce", "unknown key 'bonce'"),
        ("count: 0..5", "cuont: 0..5", "cuont", "unknown key 'cuont'"),
        ("count: 0..5", "count: 5..0", "5..0", "the range ends before it begins"),
        ("    - start\n", "    - begin\n", "begin", "`do` has no such value"),
        ("kind: cycles\n", "kind: load\n", "", ""),
    ],
)
def test_cycles(
    mistake: Mistake, problems_of: Callable[..., list[Problem]], texts: dict[str, str],
    old: str, new: str, at: str, message: str,
) -> None:  # fmt: skip
    """Steps in their short forms are blamed where they stand, although the model knows them by their long forms."""
    if message:
        assert mistake("cycles", old, new, at=at).message.replace("this", "`do`") == message
    else:
        found = [problem.message for problem in problems_of(texts["cycles"].replace(old, new))]
        assert "`cycles` belongs to a scenario of kind `cycles`" in found


def test_workloads_of_one_id(problems_of: Callable[..., list[Problem]], texts: dict[str, str]) -> None:
    """Two workloads of one id could not be told apart in a threshold; the second is shown."""
    problem = problems_of(texts["chaos"].replace("id: cron", "id: jobs"))[0]
    assert problem.message == "two entries of workload have the id 'jobs'"
    assert (problem.position.line, problem.position.column) == (22, 10)


def test_faker_references_fit_in_arguments() -> None:
    """A value that is drawn later cannot be of a wrong type now."""

    class Args(BaseModel):
        number: int
        name: str

    assert validate(Args, {"number": FakerRef("pyint"), "name": FakerRef("name")}, fakers=True) == (None, [])


def test_faker_references_fit_nowhere_else(mistake: Mistake) -> None:
    """What the harness itself must know before a run cannot be drawn during it."""
    problem = mistake("chaos", "seed: 90210", "seed: !faker pyint", at="!faker")
    assert (problem.message, problem.found) == ("does not fit", "!faker pyint")


def test_python_callers_may_give_numbers() -> None:
    """Only in files is a bare number for a time refused."""
    scenario = Scenario.model_validate(
        {
            "scenario": 1, "name": "a", "kind": "load", "target": {"driver": "d"}, "limits": {"run": 5},
            "workload": [{"id": "w", "op": "o", "model": "once"}],
        }
    )  # fmt: skip
    assert scenario.limits.run == 5.0
