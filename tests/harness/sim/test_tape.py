"""Tapes in files, and loose replays."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.errors import ReplayDiverged
from harness.sim.tape import Choice, Tape

ASKED = st.lists(st.tuples(st.sampled_from(["sched", "net"]), st.integers(1, 10**9), st.text(max_size=9)), max_size=20)


@settings(deadline=None)
@given(ASKED, st.integers())
def test_a_saved_tape_replays(asked: list[tuple[str, int, str]], seed: int) -> None:
    """What was drawn, saved and loaded is given again, each value within its bounds."""
    tape = Tape(seed)
    drawn = [tape.choose(*question) for question in asked]
    assert all(0 <= value < n for value, (_, n, _) in zip(drawn, asked, strict=True))
    file = io.StringIO()
    tape.save(file)
    file.seek(0)
    loaded = Tape.load(file)
    assert loaded.seed == seed
    assert [loaded.choose(*question) for question in asked] == drawn
    with pytest.raises(ReplayDiverged, match="its end"):
        loaded.choose("sched", 2, "more")


def test_the_draws_are_the_same_everywhere() -> None:
    """Seed 7 gives these very numbers on every Python and platform."""
    tape = Tape(7)
    assert [tape.choose("sched", 1000, "") for _ in range(5)] == [935, 271, 777, 270, 102]
    assert [tape.choose("net", 1000, "") for _ in range(5)] == [248, 501, 733, 822, 116]


def test_a_tape_is_kept_in_a_file(tmp_path: Path) -> None:
    """`save` and `load` take paths; a file that is no tape is refused by name of its format."""
    tape = Tape("text seed", [Choice("net", 3, "é", 2)])
    tape.save(tmp_path / "tape")
    assert Tape.load(tmp_path / "tape").choices == [("net", 3, "é", 2)]
    (tmp_path / "other").write_text("{}\n")
    with pytest.raises(ReplayDiverged, match="harness-tape/1"):
        Tape.load(tmp_path / "other")


@pytest.mark.parametrize("cut", [20, 60, 70])
def test_a_file_that_was_cut_off_is_no_tape(tmp_path: Path, cut: int) -> None:
    """The error names the file, and the line where it breaks off."""
    path = tmp_path / "tape"
    Tape(1, [Choice("net", 3, "a", 2), Choice("net", 3, "b", 1)]).save(path)
    path.write_text(path.read_text()[:cut])

    with pytest.raises(ReplayDiverged, match=str(path)):
        Tape.load(path)


def test_a_loose_replay_answers_everything() -> None:
    """For shrinking: a value that does not fit is cut to fit, a missing or foreign one is the plain choice."""
    tape = Tape(1, [Choice("net", 9, "a", 8), Choice("net", 9, "b", 5), Choice("disk", 4, "c", 3)], loose=True)
    assert tape.choose("net", 9, "a") == 8
    assert tape.choose("net", 3, "renamed") == 2
    assert tape.choose("net", 9, "d") == 0
    assert tape.choose("net", 9, "e") == 0


@pytest.mark.parametrize("asked", [("net", 8, "a"), ("net", 10, "a"), ("net", 9, "b"), ("disk", 9, "a")])
def test_a_replay_is_strict(asked: tuple[str, int, str]) -> None:
    """Another stream, number of possibilities or label than the tape holds is a divergence, not an answer."""
    with pytest.raises(ReplayDiverged, match="choice 0"):
        Tape(1, [Choice("net", 9, "a", 3)]).choose(*asked)


def test_deviations_are_counted() -> None:
    """A deviation is a choice that is not the plain one."""
    assert Tape(1, [Choice("net", 9, "a", 8), Choice("net", 9, "a", 0), Choice("net", 9, "a", 1)]).deviations == 2
