"""Governors as other processes find them: by their address, and by their lock when that is missing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from click.testing import CliRunner

from schedule_zero.cli import main
from schedule_zero.deployment import Deployment, load_deployment
from schedule_zero.deployment_lock import DeploymentLock
from schedule_zero.errors import CallTimeout
from schedule_zero.governor_client import GovernorOutOfReach, find_governor, stop_governor
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_runtime import write_governor
from schedule_zero.process_governor import ProcessGovernor

pytestmark = [pytest.mark.unit, pytest.mark.governor]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A deployment that nobody governs yet."""
    return load_deployment("t", env={}, root=tmp_path)


@pytest.fixture
def lock(deployment: Deployment) -> Iterator[DeploymentLock]:
    """The lock that a governor without an address holds."""
    lock = DeploymentLock(deployment.directory / "governor.lock", "t")
    lock.acquire()
    yield lock
    lock.release()


def _order(deployment: Deployment, *words: str) -> tuple[int, str]:
    where = ["--deployment", "t", "--root", str(deployment.root)]
    done = CliRunner().invoke(main, ["governor", *words, *where])
    return done.exit_code, done.output.strip()


def test_without_lock_and_address_none_runs(deployment: Deployment) -> None:
    """A deployment that never ran has no governor, and looking leaves nothing in it."""
    assert find_governor(deployment) is None
    assert stop_governor(deployment, 0.0) is False
    assert not deployment.directory.exists()


def test_a_governor_that_has_ended_is_none(deployment: Deployment, lock: DeploymentLock) -> None:
    """The lock's file stays behind, and means nothing without its holder."""
    lock.release()
    assert lock.path.exists()
    assert find_governor(deployment) is None


def test_a_governor_is_found_by_its_address(deployment: Deployment) -> None:
    """Where ``governor.json`` is, it says which process to ask, and where."""
    control = ControlServer(ProcessGovernor(deployment), lambda: None)
    control.start()
    try:
        running = find_governor(deployment)
        assert running is not None
        assert (running.record.pid, running.control) == (os.getpid(), control.address)
    finally:
        control.stop()


@pytest.mark.parametrize("words", [("status",), ("stop", "--timeout", "0.05"), ("restart",), ("restart", "h1")])
def test_a_governor_whose_address_is_missing_is_not_said_to_be_down(
    words: tuple[str, ...], deployment: Deployment, lock: DeploymentLock
) -> None:
    """Its lock tells that it runs: which process it is, which file is missing, what may be done."""
    code, said = _order(deployment, *words)
    assert (code, said) == (
        1,
        f"schedule-zero: process {os.getpid()} governs deployment 't', but {deployment.directory}/governor.json, which "
        "says where it takes orders, is not there: it is starting or stopping, or the file was removed; wait, or end "
        f"it with `kill {os.getpid()}`",
    )


def test_a_stop_waits_for_a_governor_that_stops_already(deployment: Deployment, lock: DeploymentLock) -> None:
    """Its address goes first, its lock last: only then it is said to be stopped."""
    stopped: list[bool] = []
    thread = threading.Thread(target=lambda: stopped.append(stop_governor(deployment, 20.0)))
    thread.start()
    thread.join(0.1)
    assert stopped == []
    lock.release()
    thread.join(20.0)
    assert stopped == [True]


def test_a_stop_whose_order_nobody_takes_any_more_waits_for_the_end(
    deployment: Deployment, lock: DeploymentLock
) -> None:
    """Who read the address just before another's stop closed it is told of the end, not after 90 s of its silence."""
    stopped: list[bool] = []
    with zmq.Context() as context, context.socket(zmq.ROUTER) as silent:
        port = silent.bind_to_random_port("tcp://127.0.0.1")
        path = deployment.directory / "governor.json"
        write_governor(path, "t", f"tcp://127.0.0.1:{port}", None)
        thread = threading.Thread(target=lambda: stopped.append(stop_governor(deployment, 40.0)))
        thread.start()
        assert silent.poll(10_000) == zmq.POLLIN
        path.unlink()
        lock.release()
        thread.join(30.0)
    assert stopped == [True]


def test_a_stop_that_is_never_acknowledged_is_told_of(deployment: Deployment, lock: DeploymentLock) -> None:
    """The governor's process is there and says nothing: that is no stop."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as silent:
        port = silent.bind_to_random_port("tcp://127.0.0.1")
        write_governor(deployment.directory / "governor.json", "t", f"tcp://127.0.0.1:{port}", None)
        with pytest.raises(CallTimeout, match="stop to tcp"):
            stop_governor(deployment, 0.5)


def test_a_look_at_the_lock_keeps_nobody_from_taking_it(deployment: Deployment) -> None:
    """While others look without pause, a governor gets its lock all the same."""
    lock = DeploymentLock(deployment.directory / "governor.lock", "t")
    lock.acquire()
    lock.release()
    looking = threading.Event()
    looking.set()

    def look() -> None:
        while looking.is_set():
            try:
                find_governor(deployment)
            except GovernorOutOfReach:
                continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        taken = 0
        for _ in range(20):
            lock.acquire()
            taken += lock.is_held
            lock.release()
        assert taken == 20
    finally:
        looking.clear()
        thread.join(20.0)
