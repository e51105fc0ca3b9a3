"""Children's logs are kept to a size while the children write on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.log_rotation import rotate
from schedule_zero.process_manager import ProcessManager

pytestmark = pytest.mark.governor


def test_as_many_as_wanted_are_kept(tmp_path: Path) -> None:
    """The latest is .1, the oldest goes; the log itself stays the same file."""
    log = tmp_path / "h1.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(5):
            writer.write(f"life {number}\n".encode())
            assert rotate(log, max_bytes=5, kept=2)
        writer.write(b"on\n")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "h1.log": "on\n",
        "h1.log.1": "life 4\n",
        "h1.log.2": "life 3\n",
    }


def test_a_log_that_is_small_or_absent_is_left_alone(tmp_path: Path) -> None:
    """Nothing is made of nothing."""
    log = tmp_path / "h1.log"
    assert not rotate(log, max_bytes=5)
    log.write_text("1234")
    assert not rotate(log, max_bytes=5)
    assert [path.name for path in tmp_path.iterdir()] == ["h1.log"]


@pytest.mark.integration
def test_a_child_writes_on_into_its_emptied_log(tmp_path: Path) -> None:
    """Its descriptor stands at the new end, and its last words are found although the log is shorter than before."""
    manager = ProcessManager(
        "h1", log_path=tmp_path / "h1.log", pid_path=tmp_path / "h1.pid", lifeline=False, log_bytes=1000
    )
    (tmp_path / "h1.log").write_text("x" * 990 + "\n")
    code = "import os, sys, time\nprint('first ' * 10, flush=True)\n"
    code += "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\nprint('last words')"
    manager.spawn([sys.executable, "-c", code, str(tmp_path / "go")])
    try:
        while "first" not in (tmp_path / "h1.log").read_text():
            assert manager.wait(0.01) is None
        manager.tidy()
        assert (tmp_path / "h1.log").read_text() == ""
        (tmp_path / "go").touch()
        assert manager.wait(20.0) == 0
    finally:
        manager.stop()

    assert (tmp_path / "h1.log").read_text() == "last words\n"
    assert manager.last_lines() == "last words"
    assert "first" in (tmp_path / "h1.log.1").read_text()


def test_a_log_that_cannot_be_moved_is_told_and_kept(tmp_path: Path, caplog: Any, monkeypatch: Any) -> None:
    """A full disk stops the rotation, not the governor; no half of a copy stays."""
    manager = ProcessManager("h1", log_path=tmp_path / "h1.log", pid_path=tmp_path / "h1.pid", log_bytes=2)
    (tmp_path / "h1.log").write_text("abc")

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    manager.tidy()

    assert "h1: the log cannot be kept to its size: [Errno 28] No space left on device" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["h1.log"]
    assert (tmp_path / "h1.log").read_text() == "abc"
