"""Log files that are rotated: by ourselves, by several processes, by others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schedule_zero.log_file import LogFile

pytestmark = pytest.mark.unit

Opened = Callable[..., LogFile]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens ``a.log``; each opened one is closed after the test."""
    files: list[LogFile] = []

    def open_one(max_bytes: int = 0, backups: int = 2) -> LogFile:
        files.append(LogFile(tmp_path / "a.log", max_bytes, backups))
        return files[-1]

    yield open_one
    for file in files:
        file.close()


def say(file: LogFile, text: str) -> None:
    """Log one line."""
    file.emit(logging.makeLogRecord({"msg": text}))


def test_a_full_file_is_moved_and_old_ones_go(opened: Opened, tmp_path: Path) -> None:
    """At `max_bytes` a new one is begun; `backups` of the earlier ones are kept."""
    file = opened(max_bytes=10)

    for n in range(5):
        say(file, f"line {n}..")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.log": "line 4..\n", "a.log.1": "line 3..\n", "a.log.2": "line 2..\n",
    }  # fmt: skip


def test_two_writers_lose_no_line_when_one_of_them_rotates(opened: Opened, tmp_path: Path) -> None:
    """Whoever finds the file full moves it once, the other follows: no line is lost, no file is moved half empty."""
    one, two = opened(max_bytes=40, backups=20), opened(max_bytes=40, backups=20)

    for n in range(0, 40, 2):
        say(one, f"line {n:02}")
        say(two, f"line {n + 1:02}")

    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert sorted(lines) == [f"line {n:02}" for n in range(40)]
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {32}  # one line more would have been 40


def test_who_comes_late_to_a_full_file_does_not_move_its_successor(opened: Opened, tmp_path: Path) -> None:
    """Both found it full; the second one sees that it is done."""
    one, two = opened(max_bytes=10), opened(max_bytes=10)
    say(one, "line")

    one.doRollover()
    two.doRollover()
    say(two, "next")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.log": "next\n", "a.log.1": "line\n"}


@pytest.mark.parametrize("how", ["moved", "removed", "emptied"])
def test_others_may_rotate_it_without_a_signal(opened: Opened, tmp_path: Path, how: str) -> None:
    """A moved or removed file is begun anew by the next line; an emptied one goes on without a hole."""
    file = opened()
    say(file, "first")
    path = tmp_path / "a.log"

    if how == "moved":
        path.rename(tmp_path / "old")
    elif how == "removed":
        path.unlink()
    else:
        path.write_text("")
    say(file, "second")

    assert path.read_text() == "second\n"


def test_what_is_no_text_is_written_all_the_same(opened: Opened, tmp_path: Path) -> None:
    """Half a character, from a file name perhaps, does not cost the line."""
    say(opened(), "name \udcff")

    assert (tmp_path / "a.log").read_text() == "name \\udcff\n"


def test_a_folder_that_is_gone_costs_a_line_and_not_the_process(
    opened: Opened, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where nothing can be written, that is told on standard error; logging goes on when it can."""
    file = opened()
    (tmp_path / "a.log").unlink()
    (tmp_path / "a.log").mkdir()
    say(file, "lost")
    (tmp_path / "a.log").rmdir()
    say(file, "found")

    assert (tmp_path / "a.log").read_text() == "found\n"
    assert "Message: 'lost'" in capfd.readouterr().err
