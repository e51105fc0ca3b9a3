"""Governors of either kind as a simulated process of their own: orders, signals, SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from schedule_zero.deployment_dump import write_deployment
from schedule_zero.governor_client import find_governor, order, stop_governor
from schedule_zero.governor_run import ForegroundGovernor
from schedule_zero.sd_notify import Notifier
from schedule_zero.stop_report import read_stop_report

pytestmark = pytest.mark.governor


@contextmanager
def spawned(stage: Any, *handlers: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`schedule-zero governor start`; killed at the end where it still runs."""
    stage.folder.mkdir(exist_ok=True)
    write_deployment(stage.deployment(*handlers), stage.folder / "t.json")
    where = ["--deployment", "t", "--config", str(stage.folder / "t.json"), "--root", str(stage.folder)]
    with (stage.folder / "out").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--kind", stage.kind, *where],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10.0)


@contextmanager
def foreground(stage: Any, *handlers: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The same, when all is up."""
    with spawned(stage, *handlers) as process:
        ready, ours = stage.folder / "t" / "governor.json", f'"pid": {process.pid},'
        stage.until(
            lambda: (ready.exists() and ours in ready.read_text()) or process.poll() is not None, "it is up"
        )
        assert process.poll() is None, (stage.folder / "out").read_text()
        yield process


class Told(Notifier):
    """Calls `act` when all is up: orders are taken then, and nobody looks yet whether to stop."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(None)
        self._act = act

    def ready(self, status: str = "") -> bool:
        """The moment between."""
        self._act()
        return True


@pytest.mark.parametrize(
    ("asked", "hurried"),
    [
        (["order", "order", "order"], False),
        (["lifeline", "order"], False),
        (["order", "signal"], False),
        (["signal", "order"], False),
        (["signal", "signal"], True),
    ],
)
def test_only_a_second_signal_hurries(sim_world: Any, stage: Any, asked: list[str], hurried: bool) -> None:
    """However many ask for a stop at once by orders, a handler that needs two seconds to end gets them."""
    with stage.governor(stage.echo("late", "Late")) as one:

        def ask() -> None:
            for how in asked:
                if how == "order":
                    running = find_governor(one.deployment)
                    assert running is not None
                    assert order(running, "stop") is True
                elif how == "signal":
                    told.request_stop_by_signal()
                else:
                    told.request_stop()

        told = ForegroundGovernor(one, Told(ask))
        assert told.run(None, 20.0) == 0

    report = read_stop_report(one.deployment.directory)
    assert report is not None
    ends = report.services
    assert {name: end.hurried for name, end in ends.items()} == {"server": hurried, "late": hurried}
    assert (ends["late"].forced != "", ends["late"].after >= 2.0) == (hurried, not hurried)
    assert hurried or {name: end.code for name, end in ends.items()} == {"server": 0, "late": 0}


def others() -> list[int]:
    """Every process but this one."""
    return [pid for pid in psutil.pids() if pid not in (os.getpid(), 1)]


def pid_files(stage: Any) -> list[str]:
    """The pid files that there are."""
    return sorted(path.name for path in (stage.folder / "t" / "pids").glob("*.pid"))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_signal_stops_all(sim_world: Any, stage: Any, how: str) -> None:
    """Exit code 0, and nothing is left of any service."""
    with foreground(stage, stage.echo()) as process:
        assert len(others()) == (1 if stage.threads else 3)

        process.send_signal(signal.Signals[how])

        assert process.wait(10.0) == 0, (stage.folder / "out").read_text()
        assert (others(), pid_files(stage)) == ([], [])
        assert not (stage.folder / "t" / "governor.json").exists()


def test_it_takes_orders(sim_world: Any, stage: Any) -> None:
    """Status, metrics, restart of a handler, stop: the same whatever services run in."""
    with foreground(stage, stage.echo()) as process:
        deployment = stage.deployment()
        running = find_governor(deployment)
        assert running is not None

        assert order(running, "restart_handler", {"handler_id": "h1"}) is True
        status = order(running, "status")
        assert {name: info["status"] for name, info in status.items()} == {"server": "running", "h1": "running"}
        assert order(running, "metrics")["services"]["h1"]["restart_count"] == 1
        assert order(running, "restart") is True
        assert order(running, "health") == {"server": True, "h1": True}

        assert stop_governor(deployment, 20.0)
        assert process.wait(10.0) == 0


def test_after_sigkill_the_next_one_starts(sim_world: Any, stage: Any) -> None:
    """Orphans end by themselves; whatever a killed governor has left is no obstacle."""
    with foreground(stage, stage.echo()) as process:
        process.kill()
        assert process.wait(10.0) == -signal.SIGKILL

    with foreground(stage, stage.echo()) as process:
        stage.until(lambda: len(others()) == (1 if stage.threads else 3), "the orphans are gone")
        assert pid_files(stage) == ([] if stage.threads else ["h1.pid", "server.pid"])
        process.terminate()
        assert process.wait(10.0) == 0
    assert (others(), pid_files(stage)) == ([], [])


def test_orphans_clean_up_after_themselves(sim_world: Any, stage: Any) -> None:
    """Without a next governor: processes end by their lifelines and remove their own pid files."""
    with foreground(stage, stage.echo()) as process:
        process.kill()
        process.wait(10.0)
        stage.until(lambda: others() == [], "the orphans are gone")
        assert pid_files(stage) == []


def test_a_second_signal_does_not_wait(sim_world: Any, stage: Any) -> None:
    """A handler that will not stop is got rid of at once, a thread by ending the process it is in."""
    with foreground(stage, stage.echo("deaf", "Deaf")) as process:
        process.send_signal(signal.SIGINT)
        stage.until(lambda: not (stage.folder / "t" / "governor.json").exists(), "the stop has begun")
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)

        assert process.wait(20.0) == 0
        assert time.monotonic() - begun < 2.0
        assert (others(), pid_files(stage)) == ([], [])


def test_one_log_or_one_each(sim_world: Any, stage: Any) -> None:
    """Processes write into files of their own; what threads write is in the governor's."""
    with foreground(stage, stage.echo()) as process:
        process.terminate()
        process.wait(10.0)

    logs = {path.name: path.read_text() for path in (stage.folder / "t" / "logs").iterdir()}
    assert sorted(logs) == (["governor.log"] if stage.threads else ["governor.log", "h1.log", "server.log"])
    assert "handler h1 is registered" in logs["governor.log" if stage.threads else "h1.log"]
    assert json.loads((stage.folder / "t.json").read_text())["governor"]["kind"] == "process"


def test_orphans_that_had_not_begun_end_too(sim_world: Any, stage: Any) -> None:
    """A governor that is killed while its children's interpreters still start leaves nothing either."""
    with spawned(stage, stage.echo()) as process:
        stage.until(lambda: stage.threads or len(pid_files(stage)) == 2, "the children are there")
        process.kill()
        process.wait(10.0)
        stage.until(lambda: others() == [], "the orphans are gone")
        assert pid_files(stage) == []


def test_a_signal_while_it_starts_stops_the_start(sim_world: Any, stage: Any) -> None:
    """Exit code 0 and nothing left, without waiting for services to become ready."""
    with spawned(stage, stage.echo("slow", "Slow"), stage.echo()) as process:
        lock = stage.folder / "t" / "governor.lock"
        stage.until(lambda: lock.exists() and lock.read_text(), "the start has begun")
        process.terminate()

        assert process.wait(40.0) == 0, (stage.folder / "out").read_text()
        assert (others(), pid_files(stage)) == ([], [])
