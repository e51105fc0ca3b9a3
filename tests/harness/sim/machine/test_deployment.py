"""The scheduler's own processes run unmodified on the simulated machine: server, governor, handlers, agents."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import harness.agent.boot
import schedule_zero.barriers
from harness.faults.base import NoArgs
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.faults.process_pause import ProcessPause
from harness.faults.signals import ended
from harness.faults.store_locked import StoreLocked
from harness.history.records import Audit, Status
from harness.leaks import guarded
from harness.sim.world import World
from harness.targets.schedule_zero.fixtures import SchedulerServer

pytestmark = [pytest.mark.sim, pytest.mark.governor]

CONFIG = """
deployment: t
http: {host: 127.0.0.1, port: 0}
zmq: {host: 127.0.0.1, port: 0}
store: sqlite
database: jobs.db
registry: registry.yaml
governor: {restart_delay: 200ms}
handlers:
  - {handler_id: h1, module: harness.targets.schedule_zero.worker, class: Worker, restart_delay: 200ms}
  - {handler_id: h2, module: harness.targets.schedule_zero.worker, class: Worker, restart_delay: 200ms}
"""


class Governed:
    """``schedule-zero governor start`` in a folder, seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "c.yaml").write_text(CONFIG)
        words = ["governor", "start", "--deployment", "t", "--config", "c.yaml", "--root", str(folder)]
        self._reader, self._writer = os.pipe()
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "schedule_zero.cli", *words, "--lifeline-fd", str(self._reader)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(self._reader,),
            )
        os.close(self._reader)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer of the HTTP API."""
        url = str(json.loads((self.folder / "t" / "governor.json").read_text())["http_url"])
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def handlers(self, *, besides: int = 0) -> dict[str, int]:
        """Pids of both handlers once they are connected, none of them being `besides`."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                entries = self.ask("GET", "/api/handlers")["handlers"]
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                entries = []
            found = {entry["id"]: entry["pid"] for entry in entries if entry["status"] == "Connected"}
            if len(found) == 2 and besides not in found.values():
                return found
            time.sleep(0.05)
        raise AssertionError(f"waited 60 s for two handlers: {(self.folder / 'log').read_text()}")

    def run(self, handler: str) -> str:
        """Run a job; its outcome."""
        job = self.ask("POST", "/api/run_now", {"handler_id": handler, "job_method": "echo", "job_params": {"a": 1}})
        end = time.monotonic() + 30
        while time.monotonic() < end:
            state = self.ask("GET", f"/api/jobs/{job['job_id']}")
            if state["state"] == "done":
                return str(state["outcome"])
            time.sleep(0.02)
        raise AssertionError(f"waited 30 s for job {job}")

    def let_go(self) -> None:
        """Close the lifeline."""
        os.close(self._writer)


def test_a_governor_keeps_its_deployment_alive(world: object, tmp_path: Path) -> None:
    """Handlers and server are killed and come back under other pids; jobs run; SIGTERM ends everything in order."""
    governed = Governed(tmp_path)
    pids = governed.handlers()
    assert governed.run("h1") == "success"
    os.kill(pids["h1"], signal.SIGKILL)
    again = governed.handlers(besides=pids["h1"])
    assert again["h2"] == pids["h2"]
    server = json.loads((tmp_path / "t" / "pids" / "server.pid").read_text())["pid"]
    os.kill(server, signal.SIGKILL)
    time.sleep(0.1)
    assert governed.handlers() == again
    assert governed.run("h2") == "success"
    governed.process.terminate()
    assert governed.process.wait(60) == 0
    assert not list((tmp_path / "t" / "pids").glob("*.pid"))
    assert not [pid for pid in (*pids.values(), *again.values(), server) if psutil.pid_exists(pid)]
    governed.let_go()


def test_a_killed_governor_leaves_nothing(world: object, tmp_path: Path) -> None:
    """SIGKILL: server and handlers end by their lifelines."""
    governed = Governed(tmp_path)
    pids = governed.handlers()
    governed.process.kill()
    assert governed.process.wait(20) == -9
    end = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids.values()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    governed.let_go()


def test_a_seed_gives_one_history(tmp_path: Path) -> None:
    """Two runs of one seed are the same to the last event, those of another are not."""
    digests = []
    for number, seed in enumerate((7, 7, 8)):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        with World(seed=seed) as opened:
            governed = Governed(folder)
            pids = governed.handlers()
            os.kill(pids["h1"], signal.SIGKILL)
            governed.handlers(besides=pids["h1"])
            governed.process.kill()
            governed.process.wait(5)
        digests.append(opened.digest)
    assert digests[0] == digests[1]
    assert digests[1] != digests[2]


def test_the_harness_strikes_its_target(sim: World, tmp_path: Path) -> None:
    """The target driver with its agents, and the faults on processes and store, work in the world as outside."""
    sim.kernel.process_local(harness.agent.boot, "_running", list)
    sim.kernel.process_local(schedule_zero.barriers, "_entries", list)
    with guarded(), SchedulerServer(tmp_path, handlers=2) as server:
        places = {place.name: place for place in server.places()}
        with ProcessPause(places["h1"], NoArgs()):
            assert psutil.Process(places["h1"].pid).status() == psutil.STATUS_STOPPED
        assert psutil.Process(places["h1"].pid).status() == psutil.STATUS_SLEEPING
        with StoreLocked(places["store"], NoArgs()):
            assert server.call("job.submit", handler="h2", method="work", timeout=2.0).status is not Status.OK
        assert server.call("job.submit", handler="h2", method="work").status is Status.OK
        with ProcessKill(places["h2"], KillArgs()):
            assert ended(psutil.Process(places["h2"].pid))
        time.sleep(5)
        assert not psutil.pid_exists(places["h2"].pid)
        assert server.probe()["registered-handlers"] == 2.0
        history = server.history()
    assert [audit for audit in history.of(Audit) if audit.found] == []
