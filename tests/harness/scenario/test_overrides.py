"""``--set``: where a value goes, and what is said of one that goes nowhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.scenario.loader import load_text
from harness.scenario.model import Scenario
from harness.scenario.problems import Problem, ScenarioProblems
from harness.scenario.values import FakerRef, Rate


@pytest.fixture
def chaos(texts: dict[str, str]) -> Callable[..., Scenario]:
    """The chaos scenario with some overrides."""
    return lambda *overrides: load_text(texts["chaos"], overrides=overrides)[0].scenario


def test_by_key_number_and_id(chaos: Callable[..., Scenario]) -> None:
    """A list entry is named by its number or its id, a key that holds dots as it is written."""
    scenario = chaos(
        "limits.run=9s", "workload.0.rate=1/s", "faults.hang.where=h2", "thresholds.jobs.latency=[p50 < 1s]",
        "workload.jobs.with.params.account=!faker name", "checks.always.1={runs-per-job: {max: 7}}",
    )  # fmt: skip
    assert scenario.limits.run == 9.0
    assert scenario.workload[0].rate == Rate(1.0, 1.0)
    assert scenario.faults[1].where == "h2"
    assert [str(bound.expr) for bound in scenario.thresholds["jobs.latency"]] == ["p50 < 1s"]
    assert scenario.workload[0].args["params"]["account"] == FakerRef("name")
    assert scenario.checks.always[1] == {"runs-per-job": {"max": 7}}


def test_new_keys_and_parts(chaos: Callable[..., Scenario]) -> None:
    """A key that is not in the file is added, with the mappings around it; quotes keep dots in a key."""
    scenario = chaos("known.issue=a#1", "known.until=4.0.0b1", 'thresholds."cron.errors"=[ratio < 1%]')
    assert scenario.known is not None
    assert scenario.known.until == "4.0.0b1"
    assert str(scenario.thresholds["cron.errors"][0].expr) == "ratio < 1%"


def test_no_value_removes(chaos: Callable[..., Scenario]) -> None:
    """``seed=`` removes the key, so that another can take its place."""
    assert chaos("seed=", "seeds={count: 2, from: 5}").all_seeds() == (5, 6)


def test_the_last_wins_and_the_file_stays(chaos: Callable[..., Scenario]) -> None:
    """Overrides apply in order; what they do to one loading does not outlast it."""
    assert chaos("seed=1", "seed=2").seed == 2
    assert chaos().seed == 90210


def test_an_override_repairs_a_file(texts: dict[str, str]) -> None:
    """A value of the file that is wrong does not matter once it is replaced."""
    text = texts["chaos"].replace("seed: 90210", "seed: 1:30")
    assert load_text(text.replace("seed: 1:30", "seed: x"), overrides=["seed=3"])[0].scenario.seed == 3


@pytest.mark.parametrize(
    ("override", "column", "message"),
    [
        ("limits.run", 1, "not an override"),
        ("=3", 1, "not an override"),
        ("a..b=3", 1, "not an override"),
        ("limits.run=[1", 12, "not YAML: expected ',' or ']', but got '<stream end>'"),
        ("seed=1:30", 6, "YAML 1.1 reads this as a number to the base 60"),
        ("workload.job.rate=1/s", 1, "workload has no entry 'job'"),
        ("workload.9.rate=1/s", 1, "workload has no entry '9'"),
        ("name.x=1", 1, "name holds nothing by that name"),
        ("known=", 1, "there is nothing to remove"),
        ("limits.run=40", 12, "a bare number says no unit"),
        ("limits.rnu=40s", 1, "unknown key 'rnu'"),
        ("limits={run: 40s, setup: 3}", 26, "a bare number says no unit"),
    ],
)
def test_refused(texts: dict[str, str], override: str, column: int, message: str) -> None:
    """A wrong path or value is shown in the text of the option itself."""
    with pytest.raises(ScenarioProblems) as caught:
        load_text(texts["chaos"], overrides=[override])
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert (problem.position.source.name, problem.position.line, problem.position.column) == (
        "--set",
        1,
        column,
    )


def test_guesses(texts: dict[str, str]) -> None:
    """A wrong id is answered with the ids there are."""
    with pytest.raises(ScenarioProblems, match=r"expected: one of cron, jobs   did you mean 'jobs'\?"):
        load_text(texts["chaos"], overrides=["workload.job.rate=1/s"])


def test_several_documents(texts: dict[str, str]) -> None:
    """An override goes into every document that has a place for it; one that fits none is refused."""
    text = texts["chaos"] + "---\n" + texts["cycles"]
    loaded = load_text(text, overrides=["workload.jobs.for=3s", "limits.run=7s"])
    assert [one.scenario.limits.run for one in loaded] == [7.0, 7.0]
    assert loaded[0].scenario.workload[0].length == 3.0
    assert loaded[1].scenario.workload == ()
    with pytest.raises(ScenarioProblems, match="has no entry 'none'"):
        load_text(text, overrides=["faults.none.at=3s"])


def test_vocabulary_sees_overrides(problems_of: Callable[..., list[Problem]], texts: dict[str, str]) -> None:
    """Names from the command line are checked like names from the file."""
    (problem,) = problems_of(texts["chaos"], overrides=("target.driver=toi",))
    assert str(problem).splitlines()[0] == "--set:1:15: target.driver: unknown driver 'toi'"
