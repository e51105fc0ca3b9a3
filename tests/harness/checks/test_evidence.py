"""How findings are told."""

from __future__ import annotations

import pytest

from harness.checks.evidence import LIMIT, Problem, conclude, lasted, many, shown
from harness.checks.verdict import Evidence, Outcome

WORDS = {"broken": "broken", "good": "good", "nothing": "nothing"}


@pytest.mark.parametrize("count", [0, 1, LIMIT])
def test_up_to_the_limit_all_problems_are_shown(count: int) -> None:
    """No line of counting is added where nothing was left out."""
    assert len(shown(Problem(0, at, "x") for at in range(count))) == count


def test_beyond_the_limit_the_rest_is_counted() -> None:
    """The worst come first whatever the order they were found in, and the last line says how many more."""
    found = shown(Problem(-size, 0.0, f"size {size}") for size in range(50))

    assert len(found) == 21
    assert [found[0].text, found[19].text] == ["size 49", "size 30"]
    assert found[20] == Evidence(text="… and 30 more", data={"more": 30})


@pytest.mark.parametrize(
    ("problems", "doubts", "samples", "outcome", "summary"),
    [
        (1, 1, 5, Outcome.FAIL, "broken"),
        (1, 0, 0, Outcome.FAIL, "broken"),
        (0, 1, 5, Outcome.UNKNOWN, "doubt"),
        (0, 1, 0, Outcome.UNKNOWN, "doubt"),
        (0, 0, 0, Outcome.UNKNOWN, "nothing"),
        (0, 0, 1, Outcome.PASS, "good"),
    ],
)
def test_problems_beat_doubts_and_doubts_beat_passing(
    problems: int, doubts: int, samples: int, outcome: Outcome, summary: str
) -> None:
    """A check passes only when it saw something, nothing was wrong, and nothing stood in the way of seeing."""
    found = conclude(
        [Problem(0, 0.0, "x")] * problems, doubts=[Problem(0, 0.0, "doubt")] * doubts, samples=samples, **WORDS
    )

    assert (found.outcome, found.summary, found.samples) == (outcome, summary, samples)


def test_numbers_read_like_a_sentence() -> None:
    """Units fit the size; nouns fit the number."""
    assert [lasted(s) for s in (0.0004, 0.25, 1.0, 90.5, -0.1)] == [
        "0.4 ms",
        "250 ms",
        "1 s",
        "90.5 s",
        "-100 ms",
    ]
    assert [many(n, "search", "searches") for n in (0, 1, 2)] == ["0 searches", "1 search", "2 searches"]
