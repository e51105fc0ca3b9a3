"""How a problem is shown."""

from __future__ import annotations

from harness.scenario.positions import Source
from harness.scenario.problems import Problem, ScenarioProblems, did_you_mean, one_of, shown


def test_guesses() -> None:
    """A near word is offered, a far one is not."""
    assert did_you_mean("stedy", ["steady", "faults"]) == "did you mean 'steady'?"
    assert did_you_mean("RUN", ["run"]) == "did you mean 'run'?"
    assert did_you_mean("zebra", ["steady", "faults"]) == ""


def test_long_lists_are_cut() -> None:
    """A list that nobody would read ends with its length."""
    listed = one_of(f"w{n:02}" for n in range(20))
    assert listed == "one of w00, w01, w02, w03, w04, w05, w06, w07, w08, w09, w10, w11, … (20 in all)"


def test_values_are_short() -> None:
    """A value is shown in words or cut, so that an error stays an error and no dump."""
    assert [shown(value) for value in (None, True, {}, [1], {"a": 1}, 5, "x")] == [
        "nothing (null)", "true", "an empty mapping", "a list", "a mapping", "5", "'x'"
    ]  # fmt: skip
    assert len(shown("x" * 1000)) <= 80


def test_long_lines_are_shown_around_the_caret() -> None:
    """Of a very long line only the part around the place is shown, and the caret stands under it."""
    source = Source("a.yaml", "x" * 5000 + "!" + "y" * 5000)
    _, excerpt, caret = str(Problem(source.position(1, 5001), "wrong")).split("\n")
    assert len(excerpt) < 160
    assert excerpt[caret.index("^")] == "!"


def test_control_characters_do_not_reach_the_terminal() -> None:
    """An escape sequence in a file is shown as a replacement, and a tab keeps its width."""
    source = Source("a.yaml", "a\t\x1b[31mb: 1")
    assert str(Problem(source.position(1, 3), "wrong")).split("\n")[1] == "     1 | a �[31mb: 1"


def test_many_problems_end_somewhere() -> None:
    """Of thousands of problems the first hundred are shown and the rest counted; all can be had."""
    source = Source("a.yaml", "\n" * 2000)
    error = ScenarioProblems(Problem(source.position(line, 1), "wrong") for line in range(1, 1500))
    assert len(error.problems) == 1499
    assert str(error).count("wrong") == 100
    assert str(error).endswith("… and 1399 more problems")


def test_problems_are_sorted_and_said_once() -> None:
    """The order is that of the file, and what two rules found is told once."""
    source = Source("a.yaml", "a\nb\nc")
    late, early = Problem(source.position(3, 1), "late"), Problem(source.position(1, 1), "early")
    assert ScenarioProblems([late, early, late]).problems == (early, late)
