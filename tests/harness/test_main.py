"""The command as a process of its own: what a shell can do to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = """\
scenario: 1
name: tick
about: Nothing much.
kind: regression
worlds: [sim]
seed: 3
target: {driver: apscheduler}
topology: {scheduler: {store: memory}}
given: [{op: schedule.add, with: {id: tick, every: 1s}}]
when: [{advance: 1500ms}]
then: [fires-as-modelled]
"""
INTERRUPTED_WHILE_IT_IMPORTS = """
import sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "harness.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from harness.__main__ import main
main()
"""


@pytest.fixture
def tick(tmp_path: Path) -> Path:
    """A scenario that passes in no time."""
    file = tmp_path / "tick.yaml"
    file.write_text(SCENARIO)
    return file


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``harness`` is this interpreter's."""
    command = line.replace("harness", f"{sys.executable} -m harness", 1)
    return subprocess.run(["sh", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_an_interrupt_among_the_imports_is_an_interrupt() -> None:
    """No traceback, and the code of one."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_IMPORTS], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "harness: interrupted\n")


@pytest.mark.slow
def test_a_verdict_needs_no_output(tick: Path) -> None:
    """Closed or full, standard output changes nothing but what is read."""
    closed = shell("harness run tick.yaml >&-", tick.parent)
    full = shell("harness run tick.yaml -q >/dev/full", tick.parent)
    listed = shell("harness list . >&-", tick.parent)

    assert (closed.returncode, full.returncode, listed.returncode) == (0, 0, 0), (closed, full, listed)
    assert full.stderr.splitlines()[-1] == "harness: the output cannot be written: No space left on device"
    assert listed.stderr == ""
