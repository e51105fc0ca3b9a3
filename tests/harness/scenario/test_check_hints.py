"""An unknown key under ``checks`` says where what it names belongs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.scenario.loader import load_text
from harness.scenario.problems import Problem, ScenarioProblems

pytestmark = pytest.mark.unit

Mistake = Callable[..., Problem]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("final", "did you mean 'finally'?"),
        ("no-lost-job", "it is a check: write it in the list of `always` or `finally`"),
        ("no-orphan-proces", "did you mean 'no-orphan-process'? it is a check: "
         "write it in the list of `finally` or `each`"),
        ("runs-per-job", "it is a check: write it in the list of `always`"),
        ("handler-busy", "it is something to be seen: write `sometimes: [handler-busy]`"),
        ("backlog", "it is a number to expect: write `eventually: [{within: 20s, expect: {backlog: 0}}]`"),
        ("thresholds", "`thresholds` stands beside `checks`, not in it"),
        ("stedy", "did you mean 'steady'? `steady` stands beside `checks`, not in it"),
        ("invariants", "did you mean 'always'?"),
        ("until", ""),
        ("on", ""),
    ],
)  # fmt: skip
def test_the_hint_names_the_right_section(mistake: Mistake, key: str, hint: str) -> None:
    """Its nearest section, the sections of the check it names, or that it stands beside; never a key of elsewhere."""
    problem = mistake("chaos", "checks:\n", f"checks:\n  {key}: [x]\n", at=key)

    assert (problem.message, problem.hint) == (f"unknown key {key!r}", hint)


def test_a_section_that_does_not_exist_is_the_only_thing_wrong(mistake: Mistake) -> None:
    """That nothing is judged follows from it, and is not said."""
    problem = mistake(
        "cycles", "checks: {each: [no-orphan-process]}\nthresholds: {start.ready: [p99 < 3s]}\n",
        "checks: {eech: [x]}\n",
        at="eech",
    )  # fmt: skip

    assert problem.hint == "did you mean 'each'?"


def test_without_names_of_checks_only_sections_are_guessed(texts: dict[str, str]) -> None:
    """A file that is read for its shape alone: no vocabulary, no claim about what is a check."""
    text = texts["chaos"].replace("checks:\n", "checks:\n  no-lost-job: [x]\n  sometime: [x]\n")

    with pytest.raises(ScenarioProblems) as caught:
        load_text(text)

    assert [problem.hint for problem in caught.value.problems] == ["", "did you mean 'sometimes'?"]
