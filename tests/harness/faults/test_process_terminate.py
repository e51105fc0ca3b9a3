"""``process.terminate`` asks one process to end, and does not wait for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.faults.process_kill import KillArgs
from harness.faults.process_terminate import ProcessTerminate
from harness.targets.base import Place, PlaceKind

STUBBORN = """
import pathlib, signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
pathlib.Path(sys.argv[1]).touch()
while not told:
    time.sleep(0.01)
input()
sys.exit(7)
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with code 7 when it has had SIGTERM and then a line."""
    ready = tmp_path / "ready"
    with subprocess.Popen([sys.executable, "-c", STUBBORN, str(ready)], stdin=subprocess.PIPE) as process:
        while not ready.exists():
            assert process.poll() is None
        yield process
        process.kill()


def test_it_asks_and_does_not_wait(child: subprocess.Popen[bytes]) -> None:
    """inject returns while the process still runs, and it ends in its own time, with its own exit code."""
    fault = ProcessTerminate(Place(PlaceKind.PROCESS, "child", pid=child.pid), KillArgs())

    told = fault.inject()

    assert told == {"pid": child.pid}
    assert child.poll() is None
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.close()
    assert child.wait(timeout=10) == 7
    assert fault.number is signal.SIGTERM
