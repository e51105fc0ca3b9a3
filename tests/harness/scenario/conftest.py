"""A small vocabulary, three valid scenarios, and ways to make one mistake in them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.scenario.loader import load_text
from harness.scenario.parts import World
from harness.scenario.problems import Problem, ScenarioProblems
from harness.scenario.values import Duration, Length
from harness.scenario.vocabulary import (
    NAMES_CALLS,
    NOT_BESIDE,
    ONLY_IN,
    CheckWords,
    DriverWords,
    FaultWords,
    Vocabulary,
)

CHAOS = """\
scenario: 1
name: chaos.two-dead
about: Jobs survive two dead handlers.
kind: chaos
worlds: [real]
seed: 90210
limits: {run: 40s, settle: 20s}
target:
  driver: toy
  governor: {kind: process, restart: always}
topology:
  scheduler: {lease: 10s}
  handlers: {name: "h{n}", count: 5, service: {p50: 50ms, p99: 400ms}}
steady:
  - {within: 15s, expect: {registered-handlers: 5}}
workload:
  - id: jobs
    op: job.submit
    with: {handler: "h*", method: work, params: {account: !faker iban}}
    rate: 10/s -> 20/s
    for: 30s
  - {id: cron, op: schedule.add, with: {every: 5s, handler: h1, method: tick}, model: once, count: 3}
faults:
  - {id: crash, kind: process.kill, where: {handlers: 2}, at: 5s, restart: 8s}
  - {id: hang, kind: process.pause, where: h1, every: 4s..6s, for: 2s}
  - {id: again, kind: process.pause, where: {handlers: one}, after: crash.heal, for: 1s}
nemesis: {overlap: 2, quiet: 1s}
abort_if: [{harness-cpu: "> 90% for 20s"}]
checks:
  always:
    - no-lost-job
    - {runs-per-job: {max: 2}}
  eventually:
    - {after: "*.heal", within: 20s, expect: {backlog: 0}}
  finally: [no-orphan-process]
  sometimes: [job-retried]
thresholds:
  jobs.latency: [p99 < 400ms, {expr: max < 5s, min_samples: 10}]
  jobs.errors: [ratio < 1%]
  cron.lateness: [p99 < 250ms]
"""

CYCLES = """\
scenario: 1
name: cycles.quick
kind: cycles
target: {driver: toy}
topology: {handlers: {count: 3}}
cycles:
  count: 20
  steps:
    - start
    - {wait: {until: ready, within: 10s}}
    - {op: job.submit, with: {handler: h2, method: work}, count: 0..5}
    - {bounce: h1}
    - {stop: {how: [term, kill], mix: [8, 1]}}
  gap: 0s..200ms
checks: {each: [no-orphan-process]}
thresholds: {start.ready: [p99 < 3s]}
"""

REGRESSION = """\
scenario: 1
name: regression.missed-runs
kind: regression
target: {driver: toy}
topology: {handlers: {count: 1}}
given:
  - {op: schedule.add, id: slow, with: {every: 1s, handler: h1, method: tick}}
when: [{advance: 3s}]
then: [{runs-per-job: {max: 1}}]
known: {issue: "some/where#1", until: "2027-01-31"}
"""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToyOptions(_Closed):
    """``target``."""

    verbose: bool = False
    made_by: str = ""


class ToyScheduler(_Closed):
    """``topology.scheduler``."""

    lease: Length = Field(default=30.0, json_schema_extra={NOT_BESIDE: ["made_by"]})
    store: Literal["sqlite", "memory", "ram"] = Field(
        default="sqlite", json_schema_extra={ONLY_IN: {"ram": ["sim"]}}
    )


class ToyHandlers(_Closed):
    """Further keys of ``topology.handlers``."""

    module: str = ""


class Submit(_Closed):
    """``job.submit``."""

    handler: str
    method: str
    params: dict[str, Any] = Field(default={})


class Add(_Closed):
    """``schedule.add``."""

    handler: str
    method: str
    every: Length | None = None
    after: Length | None = None

    @model_validator(mode="after")
    def _one(self) -> Add:
        if (self.every is None) == (self.after is None):
            raise ValueError("a schedule has one of `every` and `after`")
        return self


class Kill(_Closed):
    """``process.kill``."""

    restart: Length = 10.0


class Nothing(_Closed):
    """No arguments."""


class Jump(_Closed):
    """``clock.jump``."""

    by: Duration


class Of(_Closed):
    """``runs``."""

    of: str = Field(json_schema_extra={**NAMES_CALLS})


class MinMax(_Closed):
    """``runs-per-job``."""

    min: int = 0
    max: int


@pytest.fixture(scope="session")
def words() -> Vocabulary:
    """One driver, four faults, three checks."""
    real = (World.REAL,)
    return Vocabulary(
        drivers={
            "toy": DriverWords(
                about="a toy",
                worlds=real,
                options=ToyOptions,
                scheduler_options=ToyScheduler,
                ops={"job.submit": Submit, "schedule.add": Add},
                handler_options=ToyHandlers,
                places={"scheduler": "process", "governor": "process", "store": "store"},
                methods=("work", "tick"),
                reserved=frozenset({"server"}),
            )
        },
        faults={
            "process.kill": FaultWords("SIGKILL", real, Kill, ("process", "handler")),
            "process.pause": FaultWords("SIGSTOP", real, Nothing, ("process", "handler")),
            "handler.silent": FaultWords("no answer", real, Nothing, ("handler",)),
            "store.locked": FaultWords("SQLITE_BUSY", real, Nothing, ("store",)),
            "clock.jump": FaultWords("another time", (World.SIM,), Jump, ("process",)),
        },
        checks={
            "no-lost-job": CheckWords("nothing lost", None, frozenset({"always", "finally"})),
            "no-orphan-process": CheckWords("nothing left", None, frozenset({"finally", "each"})),
            "runs": CheckWords("how often together", Of, frozenset({"always", "then"})),
            "runs-per-job": CheckWords("how often", MinMax, frozenset({"always", "then"})),
        },
        samples=frozenset({"registered-handlers", "backlog"}),
        events=frozenset({"job-retried", "handler-busy"}),
        mocks=frozenset({"worker"}),
        triggers=frozenset({"job.sent"}),
    )


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """The valid scenarios, by kind."""
    return {"chaos": CHAOS, "cycles": CYCLES, "regression": REGRESSION}


Problems = Callable[..., list[Problem]]


@pytest.fixture
def problems_of(words: Vocabulary) -> Problems:
    """What is wrong with a text; empty when nothing is."""

    def problems(text: str, *, overrides: tuple[str, ...] = ()) -> list[Problem]:
        try:
            load_text(textwrap.dedent(text), "a.yaml", words, overrides=overrides)
        except ScenarioProblems as error:
            return list(error.problems)
        return []

    return problems


@pytest.fixture
def mistake(problems_of: Problems, texts: dict[str, str]) -> Callable[..., Problem]:
    """The one problem of a valid scenario in which `old` became `new`; its caret must stand at `at`.

    `at` is a piece of `new` (all of it by default), or of the rest of the file.
    """

    def only(kind: str, old: str, new: str, *, at: str = "") -> Problem:
        assert texts[kind].count(old) == 1, f"{old!r} must stand in the text exactly once"
        text = texts[kind].replace(old, new)
        found = problems_of(text)
        assert len(found) == 1, "\n".join(map(str, found)) or "no problem was found"
        begin = text.index(new)
        offset = text.index(at or new, begin if (at or new) in text[begin : begin + len(new)] else 0)
        before = text[:offset].split("\n")
        assert (found[0].position.line, found[0].position.column) == (len(before), len(before[-1]) + 1), str(
            found[0]
        )
        return found[0]

    return only
