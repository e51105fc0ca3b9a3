"""The end of a log: few lines of a large file, and what is written after them, across rotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.log_rotation import rotate
from schedule_zero.log_tail import end_of, follow, last_lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 20,000 lines, more than one block long."""
    path = tmp_path / "h1.log"
    path.write_text("".join(f"line {number}\n" for number in range(20_000)))
    return path


@pytest.mark.parametrize(("count", "first"), [(1, 19_999), (3, 19_997), (15_000, 5_000), (30_000, 0)])
def test_the_last_lines_are_exact(log: Path, count: int, first: int) -> None:
    """However many blocks they take."""
    assert last_lines(log, count) == [f"line {number}" for number in range(first, 20_000)]


def test_lines_before_an_end(log: Path) -> None:
    """What was written after that is left to who follows."""
    end = end_of(log)
    with log.open("a") as more:
        more.write("late\n")

    assert (last_lines(log, 1, end), last_lines(log, 1), last_lines(log, 0)) == (["line 19999"], ["late"], [])


def test_a_log_that_was_rotated_just_now_is_continued_backwards(log: Path) -> None:
    """Nobody who asks for the last lines wants none because of a rotation."""
    assert rotate(log, max_bytes=10)
    with log.open("a") as more:
        more.write("new\n")

    assert last_lines(log, 3) == ["line 19998", "line 19999", "new"]


def test_following_answers_complete_lines(sim_world: Any, tmp_path: Path) -> None:
    """A line written in two parts comes once, when it is complete."""
    log = tmp_path / "a.log"
    log.write_text("old\n")
    steps = iter(["one\ntw", "o\n", ""])

    def ended() -> bool:
        with log.open("a") as more:
            more.write(part := next(steps))
        return not part

    assert list(follow(log, end_of(log), ended)) == ["one", "two"]


def test_following_goes_on_after_a_rotation(sim_world: Any, tmp_path: Path) -> None:
    """By emptying (children's logs), by renaming (the governor's own), and while there is no file for a moment."""
    log = tmp_path / "a.log"
    log.write_text("old and long enough to be seen to shrink\n")

    steps: list[Callable[[], object]] = [
        lambda: rotate(log, max_bytes=1),
        lambda: log.write_text("one\n"),
        lambda: log.rename(tmp_path / "a.log.1"),
        lambda: log.write_text("two\n"),
        lambda: None,
    ]

    def ended() -> bool:
        if steps:
            steps.pop(0)()
            return False
        return True

    assert list(follow(log, end_of(log), ended)) == ["one", "two"]
