"""``schedule-zero governor``: logs, answers for machines, a signal that comes too early, and systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main
from schedule_zero.deployment_dump import write_deployment

pytestmark = pytest.mark.governor


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command on the deployment `t`, which nobody governs and which has logs."""
    logs = tmp_path / "t" / "logs"
    logs.mkdir(parents=True)
    (logs / "governor.log").write_text("up\n")
    (logs / "h1.log").write_text("one\ntwo\nthree\n")
    where = ["--deployment", "t", "--root", str(tmp_path)]
    return lambda *words: CliRunner().invoke(main, ["governor", *words, *where])


def test_logs_are_shown_by_name(run: Callable[..., Result]) -> None:
    """As an argument or by --handler; the governor's when none is named; as JSON where asked."""
    shown = [run("logs"), run("logs", "h1", "-n", "2"), run("logs", "--handler", "h1", "-n", "1")]

    assert [(one.exit_code, one.output) for one in shown] == [(0, "up\n"), (0, "two\nthree\n"), (0, "three\n")]
    assert json.loads(run("logs", "h1", "--json").output) == {"service": "h1", "lines": ["one", "two", "three"]}


def test_two_names_of_a_log_are_refused(run: Callable[..., Result]) -> None:
    """It is not guessed which was meant."""
    result = run("logs", "server", "--handler", "h1")
    assert (result.exit_code, result.output) == (
        2, "schedule-zero: name a SERVICE or a --handler, not both\n",
    )  # fmt: skip


def test_what_does_not_run_is_told_for_machines(run: Callable[..., Result]) -> None:
    """stop is done already, the others have exit code 6."""
    stopped = run("stop", "--json")
    assert (stopped.exit_code, json.loads(stopped.output)) == (0, {"deployment": "t", "stopped": False})
    for words in (["status", "--json"], ["restart", "--json"], ["add", "h1"], ["remove", "h1"]):
        result = run(*words)
        assert (result.exit_code, result.output) == (6, "schedule-zero: deployment 't' has no running governor\n")


@pytest.mark.integration
@pytest.mark.usefixtures("ctrl_c_heard")
def test_a_log_is_followed_until_interrupted(run: Callable[..., Result], tmp_path: Path) -> None:
    """-f goes on with new lines; Ctrl-C is its usual end, exit code 0."""
    words = ["governor", "logs", "h1", "-f", "-n", "1", "--deployment", "t", "--root", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "schedule_zero.cli", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "three\n"
        with (tmp_path / "t" / "logs" / "h1.log").open("a") as log:
            log.write("four\n")
        assert process.stdout.readline() == "four\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0


@pytest.mark.integration
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_a_signal_before_anything_was_started_ends_with_a_word(how: str, tmp_path: Path) -> None:
    """Exit code 0 and one line, and no folder, lock or process; here while the configuration is being read."""
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    words = ["governor", "start", "--deployment", "t", "--root", str(tmp_path / "root"), "--config", str(pipe)]
    with subprocess.Popen(
        [sys.executable, "-m", "schedule_zero.cli", *words], stderr=subprocess.PIPE, text=True
    ) as process, pipe.open("w"):  # opens when the other end is open: the governor reads, and will wait for more
        process.send_signal(signal.Signals[how])
        _, said = process.communicate(timeout=20.0)

    assert (process.returncode, said) == (0, f"schedule-zero: ended by {how}; nothing was running\n")
    assert not (tmp_path / "root").exists()


class Manager:
    """The socket of somebody who is told as systemd is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(20.0)

    def hear(self, wanted: str) -> None:
        """Listen until this is said; TimeoutError after 20 s."""
        while wanted not in (heard := self._socket.recv(4096).decode()).splitlines():
            self.told.append(heard)
        self.told.append(heard)

    def close(self) -> None:
        """Listen no longer."""
        self._socket.close()


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["process", "thread"])
def test_systemd_hears_of_start_health_and_stop(kind: str, world: Any, echo: Any, tmp_path: Path) -> None:
    """READY=1 when all answers, WATCHDOG=1 from then on, STOPPING=1 at SIGTERM; children are not told of systemd."""
    write_deployment(world.deployment(echo("h1")), tmp_path / "t.json")
    manager = Manager(tmp_path / "notify")
    env = {**os.environ, "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"}
    where = ["--deployment", "t", "--config", str(tmp_path / "t.json"), "--root", str(world.folder)]
    command = [sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--kind", kind, *where]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        manager.hear("READY=1")
        assert manager.told == ["READY=1\nSTATUS=2 of 2 services are ready"], (tmp_path / "out").read_text()
        children = psutil.Process(process.pid).children()
        assert len(children) == (2 if kind == "process" else 0)
        assert ["NOTIFY_SOCKET" in child.environ() or "WATCHDOG_USEC" in child.environ() for child in children] == (
            [False] * len(children)
        )
        for _ in range(2):
            manager.hear("WATCHDOG=1")

        process.send_signal(signal.SIGTERM)

        manager.hear("STOPPING=1")
        assert process.wait(15.0) == 0, (tmp_path / "out").read_text()
    finally:
        process.kill()
        process.wait()
        manager.close()
    assert (world.processes(), world.pid_files()) == ([], [])


def test_waiting_for_what_does_not_come_has_an_end(run: Callable[..., Result]) -> None:
    """`status --wait` gives up after its time; that no governor runs is exit code 6 as ever."""
    result = run("status", "--wait", "0.2")
    assert (result.exit_code, result.output) == (6, "schedule-zero: deployment 't' has no running governor\n")
