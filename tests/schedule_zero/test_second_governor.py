"""A second governor of one deployment: it is refused, and the first one never notices."""

from __future__ import annotations

import dataclasses
from pathlib import Path

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
