"""The regressions of the governor, under the names of the catalogue, with real processes.

Orphans are looked for in the process table: every process that a test starts inherits a variable that no
other has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from schedule_zero.deployment_dump import write_deployment
from schedule_zero.process_governor import ProcessGovernor
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.governor, pytest.mark.regression]

_MARK = "SZ_TEST_MARK"


class Premises:
    """The folder and the processes of one deployment."""

    def __init__(self, governor: ProcessGovernor, mark: str) -> None:
        self.deployment = governor.deployment
        self.mark = mark

    def processes(self) -> list[psutil.Process]:
        """Every living process that inherited the mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.pid != os.getpid() and process.environ().get(_MARK) == self.mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def pid_files(self) -> dict[str, int]:
        """The pid files there are: name and pid."""
        paths = sorted(self.deployment.pids_dir.glob("*.pid"))
        return {path.stem: json.loads(path.read_text())["pid"] for path in paths}

    def until_empty(self) -> None:
        """Wait until no process is left."""
        deadline = time.monotonic() + 15.0
        while left := self.processes():
            if time.monotonic() >= deadline:
                pytest.fail(f"after 15 s there are still {left}")
            time.sleep(0.01)


@pytest.fixture
def premises(governor: ProcessGovernor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Premises]:
    """The premises of the fixture `governor`; processes that are left end with the test."""
    found = Premises(governor, uuid.uuid4().hex)
    monkeypatch.setenv(_MARK, found.mark)
    yield found
    for process in found.processes():
        process.kill()


@pytest.fixture
def foreground(premises: Premises, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the same deployment by `schedule-zero governor start`, and waits until all is up."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        deployment = premises.deployment
        write_deployment(deployment, tmp_path / "t.json")
        ready = tmp_path / "ready.json"
        command = [
            *(sys.executable, "-m", "schedule_zero.cli", "governor", "start"),
            *("--deployment", deployment.name, "--config", str(tmp_path / "t.json")),
            *("--root", str(deployment.root), "--runtime-file", str(ready)),
        ]
        with (tmp_path / "governor.out").open("ab") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))
        deadline = time.monotonic() + 20.0
        while not ready.exists() and started[-1].poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ready.exists(), (tmp_path / "governor.out").read_text()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL"])
def test_process_cleanup_on_exit(
    how: str, premises: Premises, foreground: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """However the governor ends, by SIGKILL too, no process of its deployment is left in the process table."""
    process = foreground()
    assert len(premises.processes()) == 3  # governor, server, handler

    process.send_signal(signal.Signals[how])

    assert process.wait(15.0) == (-signal.SIGKILL if how == "SIGKILL" else 0)
    premises.until_empty()
    assert premises.pid_files() == {}


def test_pid_file_cleanup(
    premises: Premises, governor: ProcessGovernor, foreground: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Pid files name what runs and go at the stop; after a kill of everything, the next start replaces them."""
    process = foreground()
    first = premises.pid_files()
    assert sorted(first) == ["h1", "server"]
    everybody = premises.processes()
    assert set(first.values()) < {one.pid for one in everybody}
    for one in everybody:
        one.suspend()  # so that no orphan cleans up before its turn to be killed
    for one in everybody:
        one.kill()
    process.wait()
    premises.until_empty()
    assert premises.pid_files() == first, "nobody was left to remove them"

    governor.remove_handler("h1")
    assert governor.start()
    assert premises.pid_files() == {"server": governor.status()["server"].pid}

    governor.stop()
    assert premises.pid_files() == {}


def test_poetry_environment_usage(
    premises: Premises, governor: ProcessGovernor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children run in the governor's interpreter and environment, not in the `python` that is first on PATH."""
    bait = tmp_path / "bin"
    bait.mkdir()
    for name in ("python", "python3", Path(sys.executable).name, "poetry"):
        (bait / name).write_text(f"#!/bin/sh\necho used >> {tmp_path}/bait-taken\nexit 1\n")
        (bait / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bait}{os.pathsep}{os.environ['PATH']}")

    assert governor.start()

    infos = governor.status()
    children = {name: psutil.Process(info.pid) for name, info in infos.items()}
    assert {name: child.cmdline()[0] for name, child in children.items()} == {
        "server": sys.executable, "h1": sys.executable,
    }  # fmt: skip
    here = (os.environ["PATH"], premises.mark, Path(sys.executable).resolve())
    for child in children.values():
        environ = child.environ()
        assert (environ["PATH"], environ[_MARK], Path(child.exe()).resolve()) == here
    with ZMQClient(str(infos["h1"].address), timeout=5000) as client:
        assert client.ping()
    assert not (tmp_path / "bait-taken").exists()
