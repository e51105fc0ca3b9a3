"""A second governor of one deployment: it is refused, and the first one never notices."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.deployment import load_deployment
from schedule_zero.exits import ExitCode
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_run import govern
from schedule_zero.process_governor import ProcessGovernor

pytestmark = [pytest.mark.governor, pytest.mark.integration]


def test_a_governor_that_is_refused_leaves_the_address_of_the_one_that_runs(tmp_path: Path) -> None:
    """``governor.json`` is how stop and status find a governor: only who wrote it removes it."""
    loaded = load_deployment("twice", env={}, root=tmp_path)
    service = dataclasses.replace(loaded.service, http_port=0, zmq_port=0)
    deployment = dataclasses.replace(loaded, service=service)
    first = ProcessGovernor(deployment)
    control = ControlServer(first, lambda: None)
    first.start()
    try:
        control.start()
        before = (deployment.directory / "governor.json").read_text()
        assert govern(deployment) is ExitCode.ALREADY_RUNNING
        assert (deployment.directory / "governor.json").read_text() == before
    finally:
        control.stop()
        first.stop()
    assert not (deployment.directory / "governor.json").exists()


def test_a_refusal_is_told_to_who_asked_and_not_to_the_log_of_the_one_that_runs(
    world: Any, foreground: Any, until: Any, tmp_path: Path
) -> None:
    """The second start ends with code 5 and says why on standard error; governor.log stays as it was."""
    first = foreground()
    log = world.folder / "t" / "logs" / "governor.log"
    until(lambda: "deployment t is up" in log.read_text(), "the last line of a start")
    before = log.read_text()

    second = subprocess.run(
        [
            *(sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--deployment", "t"),
            *("--config", str(tmp_path / "t.json"), "--root", str(world.folder)),
        ],
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
    )

    assert second.returncode == 5
    assert f"deployment 't' is already governed by process {first.pid}" in second.stderr
    assert log.read_text() == before
