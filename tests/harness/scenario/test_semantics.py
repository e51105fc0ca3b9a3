"""Names that do not exist or do not fit: each is found, and shown where it stands."""

# ruff: noqa: E501 - a table is read by its rows

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.scenario.problems import Problem

Mistake = Callable[..., Problem]


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("driver: toy", "driver: toi", "toi", "unknown driver 'toi'"),
        ("driver: toy\n", "driver: toy\n  verbos: true\n", "verbos", "unknown key 'verbos'"),
        ("driver: toy\n", "driver: toy\n  verbose: maybe\n", "maybe", "does not fit"),
        ("restart: always}", "restart: always, patience: 3}", "patience", "unknown key 'patience'"),
        ("{lease: 10s}", "{lease: 10}", "10", "a bare number says no unit"),
        ("{lease: 10s}", "{leese: 10s}", "leese", "unknown key 'leese'"),
        ("driver: toy\n", "driver: toy\n  made_by: me\n", "lease", "`lease` has no meaning beside `target.made_by`, which decides it"),
        ("{lease: 10s}", "{store: mongo}", "mongo", "`store` has no such value"),
        ("{lease: 10s}", "{store: ram}", "real]", "`store: ram` does not run in the world `real`"),
        ("count: 5, service", "count: 5, modul: x, service", "modul", "unknown key 'modul'"),
        ("count: 5, service", "count: 5, mock: wroker, service", "wroker", "unknown mock behaviour 'wroker'"),
        ("worlds: [real]", "worlds: [real, sim]", "", ""),
    ],
)
def test_target(
    mistake: Mistake, problems_of: Callable[..., list[Problem]], texts: dict[str, str],
    old: str, new: str, at: str, message: str,
) -> None:  # fmt: skip
    """The driver exists, knows its options and runs in the worlds of the file."""
    if message:
        assert mistake("chaos", old, new, at=at).message == message
    else:
        found = problems_of(texts["chaos"].replace(old, new))
        assert [problem.position.line for problem in found] == [5, 5, 5]
        assert found[0].message == "the driver 'toy' does not run in the world `sim`"
        assert found[1].message == "the fault 'process.kill' does not run in the world `sim`"


_NAMED = """\
scenario: 1
name: a
kind: regression
target: {driver: toy}
topology: {handlers: [{name: h1}, {name: "NAME"}]}
when: [{advance: 1s}]
checks: {always: [no-lost-job]}
"""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("scheduler", "is what the driver 'toy' calls a part of its own"),
        ("store", "is what the driver 'toy' calls a part of its own"),
        ("server", "is what the driver 'toy' calls a part of its own"),
        ("all", "is a count where places are selected"),
        ("2", "is a count where places are selected"),
    ],
)
def test_a_handler_is_not_called_like_a_part_of_the_target(
    problems_of: Callable[..., list[Problem]], name: str, why: str
) -> None:
    """A handler `scheduler` was taken for the scheduler: a kill of one counted as healed while the other ran."""
    assert [str(problem) for problem in problems_of(_NAMED.replace("NAME", name))] == [
        f"a.yaml:5:42: topology.handlers.1.name: no handler can be called {name!r}: that {why}\n"
        f'     5 | topology: {{handlers: [{{name: h1}}, {{name: "{name}"}}]}}\n'
        "       |                                          ^\n"
        f"    expected: another name   found: {name!r}"
    ]


def test_a_pattern_of_names_is_looked_at_name_by_name(problems_of: Callable[..., list[Problem]]) -> None:
    """`{n}` may come out as a name of the target, or as a count."""
    assert [str(p).splitlines()[0] for p in problems_of(_NAMED.replace('"NAME"', '"{n}", count: 3'))] == [
        "a.yaml:5:42: topology.handlers.1.name: no handler can be called '1': that is a count where places are selected"
    ]


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("op: job.submit", "op: job.submitt", "job.submitt", "unknown operation 'job.submitt'"),
        ("method: work, params", "methd: work, params", "", ""),
        ('handler: "h*"', 'handler: "x*"', '"x*"', "'x*' selects nothing"),
        ("handler: h1, method: tick", "handler: h9, method: tick", "h9", "'h9' selects nothing"),
        ("every: 5s, handler", "every: 5, handler", "5, handler", "a bare number says no unit"),
        ("every: 5s, handler", "handler", "{handler: h1", "a schedule has one of `every` and `after`"),
        ("method: work, params", "method: wrok, params", "wrok", "unknown method of the mock handler 'wrok'"),
        ("h1, method: tick", "h1, method: tock", "tock", "unknown method of the mock handler 'tock'"),
    ],
)
def test_operations(
    mistake: Mistake, problems_of: Callable[..., list[Problem]], texts: dict[str, str],
    old: str, new: str, at: str, message: str,
) -> None:  # fmt: skip
    """Operations exist, take their arguments, and name handlers that there are."""
    if message:
        assert mistake("chaos", old, new, at=at).message == message
    else:
        found = problems_of(texts["chaos"].replace(old, new))
        assert [problem.message for problem in found] == ["`method` is missing", "unknown key 'methd'"]
        assert found[1].hint == "did you mean 'method'?"


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("kind: process.kill", "kind: proces.kill", "proces.kill", "unknown fault kind 'proces.kill'"),
        ("restart: 8s", "restart: 8", "8", "a bare number says no unit"),
        ("restart: 8s", "restrat: 8s", "restrat", "unknown key 'restrat'"),
        ("kind: process.kill", "kind: clock.jump", "", ""),
        ("where: {handlers: 2}", "where: {handlers: 9}", "9", "'9' cannot be selected"),
        ("where: {handlers: 2}", "where: {handler: 2}", "handler:", "there is no group 'handler'"),
        ("where: h1, every", "where: h6, every", "h6", "'h6' selects nothing"),
        ("where: h1, every", 'where: "z*", every', '"z*"', "'z*' selects nothing"),
        ("after: crash.heal", "after: crsh.heal", "crsh.heal", "no fault heals as 'crsh.heal'"),
        ("after: crash.heal", "after: again.heal", "again.heal", "no fault heals as 'again.heal'"),
        ("after: crash.heal", "after: crash", "crash", "does not fit"),
        ("every: 4s..6s", "when: {event: job.snt, nth: 2}", "job.snt", "unknown event 'job.snt'"),
        ("every: 4s..6s", "after: again.heal", "", ""),
    ],
)
def test_faults(
    mistake: Mistake, problems_of: Callable[..., list[Problem]], texts: dict[str, str],
    old: str, new: str, at: str, message: str,
) -> None:  # fmt: skip
    """Faults exist, take their arguments, point at something, and wait for what can come."""
    if message:
        assert mistake("chaos", old, new, at=at).message == message
    elif "clock" in new:
        found = [problem.message for problem in problems_of(texts["chaos"].replace(old, new))]
        assert found == [
            "the fault 'clock.jump' does not run in the world `real`",
            "`by` is missing",
            "unknown key 'restart'",
        ]
    else:
        text = texts["chaos"].replace(old, new).replace("after: crash.heal", "after: hang.heal")
        assert [problem.message for problem in problems_of(text)] == [
            "'hang' can never happen: what it waits for waits for it",
            "'again' can never happen: what it waits for waits for it",
        ]


@pytest.mark.parametrize(
    ("after", "wanted"),
    [("crash.heal", "crash.heal"), ("cr*.heal", "cr*.heal"), ('"*.heal"', ""), ("hang.heal", "")],
)
def test_nothing_waits_for_the_heal_of_what_is_kept(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str], after: str, wanted: str
) -> None:
    """It comes after the run, when no fault begins and no expectation is watched; another fault's may do."""
    text = texts["chaos"].replace("restart: 8s}", "keep: true}")
    never = f"{wanted!r} never comes while the run is watched: `keep: true` heals after it"

    waiting = text.replace("after: crash.heal", f"after: {after}")
    expecting = text.replace("after: crash.heal", "at: 9s").replace('after: "*.heal"', f"after: {after}")
    for mistaken in (waiting, expecting):
        assert [problem.message for problem in problems_of(mistaken)] == [never] * bool(wanted)


def test_a_fault_of_handlers_needs_handlers(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str]
) -> None:
    """A kind that acts on handlers only cannot point at the scheduler."""
    text = texts["chaos"].replace("kind: process.pause, where: h1", "kind: handler.silent, where: scheduler")
    assert [problem.message for problem in problems_of(text)] == ["'scheduler' selects nothing"]
    good = texts["chaos"].replace("where: h1", "where: scheduler")
    assert problems_of(good) == []


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("- no-lost-job", "- no-lost-jobs", "no-lost-jobs", "unknown check 'no-lost-jobs'"),
        ("- no-lost-job", "- {no-lost-job: {max: 3}}", "max", "unknown key 'max'"),
        ("- no-lost-job", "- {no-lost-job: 3}", "3}", "the arguments of 'no-lost-job' are no mapping"),
        ("{runs-per-job: {max: 2}}", "{runs-per-jobs: {max: 2}}", "runs-per-jobs", "unknown check 'runs-per-jobs'"),
        ("{runs-per-job: {max: 2}}", "{runs-per-job: {mix: 2, max: 2}}", "mix", "unknown key 'mix'"),
        ("{runs-per-job: {max: 2}}", "runs-per-job", "runs-per-job", "`max` is missing"),
        ("finally: [no-orphan-process]", "finally: [{runs-per-job: {max: 1}}]", "runs-per-job",
         "'runs-per-job' cannot be judged under `finally`"),
        ("sometimes: [job-retried]", "sometimes: [job-retired]", "job-retired", "unknown event 'job-retired'"),
        ("{backlog: 0}", "{baklog: 0}", "baklog", "unknown number to expect 'baklog'"),
        ("{registered-handlers: 5}", "{handlers: 5}", "handlers", "unknown number to expect 'handlers'"),
        ('after: "*.heal"', "after: cut.heal", "cut.heal", "no fault heals as 'cut.heal'"),
        ("{within: 15s, expect", "{after: crash.heal, within: 15s, expect", "after", "`steady` is awaited before any fault"),
        ("finally: [no-orphan-process]", "each: [no-orphan-process]", "each",
         "`each` is judged after each cycle, and there is no `cycles`"),
        ('{harness-cpu: "> 90% for 20s"}', '{harness-gpu: "> 90% for 20s"}', "harness-gpu", "unknown abort rule 'harness-gpu'"),
        ('{harness-cpu: "> 90% for 20s"}', '{harness-cpu: "90%"}', '"90%"', "not an abort rule"),
        ('{harness-cpu: "> 90% for 20s"}', '{harness-cpu: "> 90% for ever"}', '"> 90%', "not an abort rule"),
    ],
)  # fmt: skip
def test_checks(mistake: Mistake, old: str, new: str, at: str, message: str) -> None:
    """Checks exist, take their arguments, stand where they are judged, and name what can be seen."""
    assert mistake("chaos", old, new, at=at).message == message


@pytest.mark.parametrize(
    ("old", "new", "at", "message", "hint"),
    [
        (
            "jobs.latency:",
            "jobs.latncy:",
            "jobs.latncy",
            "nothing is measured as 'jobs.latncy'",
            "did you mean 'jobs.latency'?",
        ),
        (
            "jobs.latency:",
            "job.latency:",
            "job.latency",
            "nothing is measured as 'job.latency'",
            "did you mean 'jobs.latency'?",
        ),
        ("jobs.latency:", "start.ready:", "start.ready", "nothing is measured as 'start.ready'", ""),
        ("[p99 < 400ms, ", "[q99 < 400ms, ", "q99 <", "'q99' is no statistic of this", "did you mean 'p99'?"),
        ("[p99 < 400ms, ", "[< 400ms, ", "< 400ms", "no statistic is named", ""),
        ("[p99 < 400ms, ", "[p99 < 400, ", "p99 < 400", "the bound is in the wrong unit", ""),
        ("[ratio < 1%]", "[ratio < 1s]", "ratio < 1s", "the bound is in the wrong unit", ""),
        ("[ratio < 1%]", "[p99 < 1%]", "p99 < 1%", "'p99' is no statistic of this", ""),
        ("expr: max < 5s", "expr: max < 5%", "max < 5%", "the bound is in the wrong unit", ""),
    ],
)
def test_thresholds(mistake: Mistake, old: str, new: str, at: str, message: str, hint: str) -> None:
    """Thresholds are about something that this scenario measures, by a statistic it has, in its unit."""
    problem = mistake("chaos", old, new, at=at)
    assert (problem.message, problem.hint) == (message, hint)


@pytest.mark.parametrize(
    "bound", ["p12.5 < 1s", "mean < 1s", "count > 5", "min > 0ms", "p99.99 <= 3s", "max < 0"]
)
def test_statistics_of_durations(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str], bound: str
) -> None:
    """Every percentile, the extremes, the mean and the count can be bounded."""
    assert problems_of(texts["chaos"].replace("[p99 < 400ms, ", f"[{bound}, ")) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "at", "message"),
    [
        ("cycles", "{bounce: h1}", "{bounce: h7}", "h7", "'h7' selects nothing"),
        ("cycles", "handler: h2", "handler: h7", "h7", "'h7' selects nothing"),
        ("cycles", "op: job.submit", "op: job.sbmit", "job.sbmit", "unknown operation 'job.sbmit'"),
        ("cycles", "start.ready", "start.redy", "start.redy", "nothing is measured as 'start.redy'"),
        ("cycles", "checks: {each: [no-orphan-process]}\nthresholds: {start.ready: [p99 < 3s]}\n", "", "scenario: 1",
         "nothing is judged, so nothing could fail"),
        ("regression", "handler: h1", "handler: h2", "h2", "'h2' selects nothing"),
        ("regression", "{max: 1}", "{min: 1}", "{min", "`max` is missing"),
        ("regression", "{advance: 3s}", "{}", "{}", "a step has either `op` or `advance`"),
        ("regression", "kind: regression", "kind: chaos", "chaos", "a scenario of kind `chaos` needs `faults`"),
        ("regression", "kind: regression", "kind: load", "load", "a scenario of kind `load` needs `workload`"),
        ("regression", "then:", "nemesis: {}\nthen:", "nemesis", "`nemesis` draws from `faults`, and there are none"),
        ("regression", '"2027-01-31"', '"2027-02-31"', '"2027-02-31"', "no such day"),
    ],
)  # fmt: skip
def test_other_kinds(mistake: Mistake, kind: str, old: str, new: str, at: str, message: str) -> None:
    """Cycles and regressions are held to the same words."""
    assert mistake(kind, old, new, at=at).message == message


@pytest.mark.parametrize("event", ["jobs.fail", "crash.heal"])
def test_a_fault_waits_for_what_the_harness_itself_sees(
    event: str, problems_of: Callable[..., list[Problem]], texts: dict[str, str]
) -> None:
    """Ends of calls and heals of other faults are events of every scenario, though no vocabulary lists them."""
    text = texts["chaos"].replace("every: 4s..6s", f"when: {{event: {event}, nth: 2}}")

    assert text != texts["chaos"]
    assert problems_of(text) == []


def test_handlers_of_a_class_of_their_own_may_have_any_method(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str]
) -> None:
    """Nobody here knows what they can do."""
    own = texts["chaos"].replace("count: 5, service", "count: 5, module: mine, service")

    assert problems_of(own.replace("method: work, params", "method: total, params")) == []


def test_cycles_with_faults_are_refused(problems_of: Callable[..., list[Problem]], texts: dict[str, str]) -> None:
    """Nobody would inject them."""
    found = problems_of(texts["cycles"] + "faults: [{id: f, kind: process.kill, where: h1, at: 1s, restart: 1s}]\n")

    assert "`cycles` are played without `faults`, so none of them would ever strike" in [p.message for p in found]


@pytest.mark.parametrize(
    ("kind", "where", "message", "expected"),
    [
        ("store.locked", "h1", "'h1' selects nothing", "store"),
        ("store.locked", "scheduler", "'scheduler' selects nothing", "store"),
        ("process.pause", "store", "'store' selects nothing", "one of governor, h1, h2, h3, h4, h5, scheduler"),
        ("handler.silent", "store", "'store' selects nothing", "one of h1, h2, h3, h4, h5"),
        ("store.locked", "{handlers: 1}", "this kind of fault acts on a store, not on handlers", ""),
    ],
)
def test_a_fault_is_offered_only_the_places_that_its_kind_accepts(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str], kind: str, where: str, message: str, expected: str
) -> None:
    """A hint that names a place at which it would be refused helps nobody."""
    text = texts["chaos"].replace("kind: process.pause, where: h1", f"kind: {kind}, where: {where}")

    assert [(p.message, p.expected) for p in problems_of(text)] == [(message, expected)]


@pytest.mark.parametrize(
    ("which", "old", "known"),
    [("chaos", "no-lost-job", "one of cron, jobs"), ("regression", "{runs-per-job: {max: 1}}", "slow")],
)
def test_a_check_of_calls_that_nobody_makes_is_refused(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str], which: str, old: str, known: str
) -> None:
    """A slip of the pen would leave every run unknown; what there is stands beside it."""
    wrong = texts[which].replace(old, "{runs: {of: jbos}}", 1)
    right = texts[which].replace(old, "{runs: {of: jobs}}" if which == "chaos" else "{runs: {of: slow}}", 1)

    assert [(p.message, p.expected) for p in problems_of(wrong)] == [("unknown workload or step 'jbos'", known)]
    assert problems_of(right) == []


def test_each_without_a_stop_after_each_cycle_is_refused(
    problems_of: Callable[..., list[Problem]], texts: dict[str, str]
) -> None:
    """Nothing is searched between cycles that leave the target up, so it could only be unknown."""
    found = problems_of(texts["cycles"].replace("  count: 20", "  count: 20\n  start: once"))

    assert [p.message for p in found] == [
        "`each` could never be judged: with `start: once` nothing is stopped and searched after a cycle"
    ]
