"""The pages of a server in the simulated world."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from harness.sim.world import World

pytestmark = [pytest.mark.sim, pytest.mark.slow]

CONFIG = """
deployment: t
http: {host: 127.0.0.1, port: 0}
zmq: {host: 127.0.0.1, port: 0}
store: sqlite
database: jobs.db
registry: registry.yaml
"""


def test_a_schedule_is_added_and_fires_in_the_simulated_world(tmp_path: Path) -> None:
    """The form is read from one page, sent, and what fired in the next hour is on another; no time passes outside."""

    def ask(verb: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(verb, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read().decode()

    def until(condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < end, f"waited 60 s of the world's time for: {what}"
            time.sleep(0.05)

    def started(ready: Path, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", *words, "--runtime-file", str(ready)], cwd=tmp_path)
        until(lambda: ready.exists() or process.poll() is not None, f"the start of {words[0]}")
        assert process.poll() is None, words
        return process

    with World(seed=5):
        (tmp_path / "c.yaml").write_text(CONFIG)
        server = started(tmp_path / "server.json", "schedule_zero.server", "--config", "c.yaml")
        told = json.loads((tmp_path / "server.json").read_text())
        port = told["http_port"]
        worker = ["--module", "harness.targets.schedule_zero.worker", "--class", "Worker", "--handler-id", "h1"]
        address = ["--server", told["registration_address"]]
        handler = started(tmp_path / "handler.json", "schedule_zero.handler", *worker, *address)
        until(lambda: "Connected" in ask("GET", "/handlers")[2], "the handler's registration")
        token = ask("GET", "/schedules/new")[2].partition('name="form_token" value="')[2].partition('"')[0]
        form = {"handler_id": "h1", "job_method": "echo", "job_id": "s", "type": "interval", "interval.minutes": "10"}
        status, place, _ = ask("POST", "/schedules/new", urlencode({"form_token": token, **form}))
        assert (status, place) == (303, "/schedule?id=s&done=added&done_id=s")
        time.sleep(3601)
        page = ask("GET", "/schedule?id=s")[2]
        assert page.count('<span class="pill good">Success</span>') == 7
        for process in (handler, server):
            process.terminate()
            assert process.wait(60) == 0
