"""What a killed governor left behind is ended; strangers are left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedule_zero.leftovers import clear_leftovers
from schedule_zero.pidfile import PidFile

pytestmark = [pytest.mark.integration, pytest.mark.governor]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in a session of its own."""
    code = "import time; print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.communicate()


def test_a_left_over_process_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A process that is the one in the file gets SIGTERM, and its file goes."""
    PidFile(tmp_path / "h1.pid").write(sleeper.pid)

    ended = clear_leftovers(tmp_path)

    assert ([record.pid for record in ended], sleeper.wait(5.0)) == ([sleeper.pid], -signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_got_the_number_later_lives_on(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A reused pid is never killed: the file goes, the stranger stays."""
    PidFile(tmp_path / "h1.pid").write(sleeper.pid)
    record = json.loads((tmp_path / "h1.pid").read_text())
    record["birth"] = "another-boot:1"
    (tmp_path / "h1.pid").write_text(json.dumps(record))

    assert clear_leftovers(tmp_path) == []

    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace a left-over process is ended by force."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == b"up\n"
        PidFile(tmp_path / "h1.pid").write(stubborn.pid)

        clear_leftovers(tmp_path, grace=0.1)

        assert stubborn.wait(5.0) == -signal.SIGKILL


def test_unreadable_files_are_removed(tmp_path: Path) -> None:
    """Files that name nobody are stale; other files are none of ours."""
    (tmp_path / "a.pid").write_text("garbage")
    (tmp_path / "b.pid").write_text(json.dumps({"pid": os.getpid(), "start_time": 1.0}))
    (tmp_path / "notes.txt").write_text("keep")

    assert clear_leftovers(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_no_folder_is_nothing_to_do(tmp_path: Path) -> None:
    """The first start of a deployment has nothing to clear."""
    assert clear_leftovers(tmp_path / "absent") == []
