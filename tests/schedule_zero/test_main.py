"""`python -m schedule_zero`: the command where no script of that name is on the path."""

from __future__ import annotations

import subprocess
import sys

import pytest

from schedule_zero.cli import main

pytestmark = pytest.mark.integration


def test_the_package_is_the_command() -> None:
    """It tells of itself what `schedule-zero` does, under that name."""
    command = [sys.executable, "-m", "schedule_zero", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: schedule-zero [OPTIONS] COMMAND [ARGS]...\n")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in main.commands] == sorted(main.commands)


def test_its_refusals_are_the_commands() -> None:
    """A command that does not exist ends with exit code 2, also this way."""
    command = [sys.executable, "-m", "schedule_zero", "fly"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: No such command 'fly'.\n")
