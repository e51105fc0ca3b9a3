"""Bounds on what was sampled of each process."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome
from harness.errors import UsageError


def test_samples_within_their_bounds_pass(result: Any, write: Any) -> None:
    """The bound itself is allowed; what has no bound is not looked at."""
    found = result(
        {"bounded": {"fds": 40, "rss": 100}},
        write.sample(1, "fds", 40, "h1"), write.sample(2, "fds", 12, "scheduler"),
        write.sample(1, "rss", 100e6, "h1"), write.sample(1, "threads", 9000, "h1"),
    )  # fmt: skip

    assert (found.outcome, found.samples) == (Outcome.PASS, 3)
    assert found.summary == "3 series stayed within bounds (fds <= 40, rss <= 100 MB)"


def test_the_highest_sample_of_each_place_is_shown(result: Any, write: Any) -> None:
    """A peak in the midst of the run counts, though it has gone by the end; the worst comes first."""
    found = result(
        {"bounded": {"fds": 40, "threads": 10, "rss": 100}},
        write.sample(1, "fds", 12, "h1"), write.sample(2, "fds", 44, "h1"), write.sample(3, "fds", 12, "h1"),
        write.sample(4, "fds", 41, "h2"), write.sample(5, "fds", 40, "h3"),
        write.sample(6, "threads", 30), write.sample(7, "rss", 150.5e6, "scheduler"),
        section="finally",
    )  # fmt: skip

    assert found.outcome is Outcome.FAIL
    assert found.summary == "4 of 5 series went above the bound (fds <= 40, threads <= 10, rss <= 100 MB)"
    assert [(item.at, item.text) for item in found.evidence] == [
        (6.0, "threads reached 30 at 6.000 s, at most 10 allowed"),
        (7.0, "rss of scheduler reached 150.5 MB at 7.000 s, at most 100 MB allowed"),
        (2.0, "fds of h1 reached 44 at 2.000 s, at most 40 allowed"),
        (4.0, "fds of h2 reached 41 at 4.000 s, at most 40 allowed"),
    ]
    assert found.evidence[1].data == {"name": "rss", "place": "scheduler", "value": 150.5e6}


def test_nothing_sampled_is_unknown(result: Any, write: Any) -> None:
    """Neither no samples at all, nor none of one of the names; but one that is exceeded fails."""
    both = {"bounded": {"fds": 40, "threads": 10}}

    assert result(both).outcome is Outcome.UNKNOWN
    half = result(both, write.sample(1, "fds", 12, "h1"))
    assert (half.outcome, half.summary) == (Outcome.UNKNOWN, "threads was never sampled")
    assert result(both, write.sample(1, "fds", 41, "h1")).outcome is Outcome.FAIL


@pytest.mark.parametrize("args", [{}, None, {"fds": 0}, {"fds": 1.5}, {"rss": -1}, {"files": 3}])
def test_bounds_that_make_no_sense_are_refused(result: Any, args: Any) -> None:
    """The message names the check."""
    with pytest.raises(UsageError, match="the check bounded: "):
        result({"bounded": args})


def test_it_stands_where_the_whole_run_is_judged(result: Any) -> None:
    """Not after single cycles, nor among the checks of a regression."""
    with pytest.raises(UsageError, match="bounded"):
        result({"bounded": {"fds": 3}}, section="then")
