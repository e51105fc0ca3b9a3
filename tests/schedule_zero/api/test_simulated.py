"""The same server in the simulated world: its stream, its metrics, and its governor over HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.sim.world import World

pytestmark = [pytest.mark.sim, pytest.mark.governor]

CONFIG = """
deployment: t
http: {host: 127.0.0.1, port: 0}
zmq: {host: 127.0.0.1, port: 0}
store: sqlite
database: jobs.db
registry: registry.yaml
handlers:
  - {handler_id: h1, module: harness.targets.schedule_zero.worker, class: Worker, restart_delay: 200ms}
"""


class Governed:
    """``schedule-zero governor start`` in a folder, and its server's API."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "c.yaml").write_text(CONFIG)
        words = ["governor", "start", "--deployment", "t", "--config", "c.yaml", "--root", str(folder)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "schedule_zero.cli", *words], cwd=folder, stdout=log, stderr=log
            )

    def connect(self, verb: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """The answer, its body unread."""
        url = str(json.loads((self._folder / "t" / "governor.json").read_text())["http_url"])
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=90)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(verb, path, None if body is None else json.dumps(body), named)
        return connection.getresponse()

    def ask(self, verb: str, path: str, body: object = None) -> Any:
        """The decoded answer."""
        return json.loads(self.connect(verb, path, body).read())

    def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        """The answer at `path` once it meets the condition."""
        end = time.monotonic() + 60
        answer: Any = None
        while time.monotonic() < end:
            assert self.process.poll() is None, (self._folder / "log").read_text()
            try:
                answer = self.ask("GET", path)
                if condition(answer):
                    return answer
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                pass  # not up yet
            time.sleep(0.05)
        raise AssertionError(f"waited 60 s for {path}: {answer}")


def events(answer: http.client.HTTPResponse, last: str, **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    """Events from a stream, up to one of the kind `last` with these data."""
    found: list[tuple[str, dict[str, Any]]] = []
    kind = ""
    while True:
        line = answer.readline().decode()
        assert line, f"the stream has ended after {found}"
        if line.startswith("event: "):
            kind = line[7:].strip()
        elif line.startswith("data: "):
            found.append((kind, json.loads(line[6:])))
            if kind == last and fields.items() <= found[-1][1].items():
                return found


def test_events_metrics_and_the_governor_are_served_in_the_simulated_world(tmp_path: Path) -> None:
    """A job is told on the stream; a restart over HTTP gives the handler another process, and is told too; after
    quiet minutes comes nothing but heartbeats; metrics count it all; the stream ends when the server stops.
    """
    with World(seed=3):
        governed = Governed(tmp_path)
        governed.until("/api/handlers/h1", lambda body: body["status"] == "Connected")
        stream = governed.connect("GET", "/api/events")
        assert events(stream, "hello")[0][1]["deployment"] == "t"
        job = governed.ask("POST", "/api/run_now", {"handler_id": "h1", "job_method": "echo", "job_params": {"a": 1}})
        told = events(stream, "job.finished", job_id=job["job_id"])
        assert [kind for kind, _ in told] == ["job.added", "job.started", "job.finished"]
        before = governed.ask("GET", "/api/handlers/h1")["pid"]
        assert governed.ask("POST", "/api/governor/handlers/h1/restart") == {"handler_id": "h1", "ready": True}
        services = {service["name"]: service for service in governed.ask("GET", "/api/governor")["services"]}
        assert services["h1"]["pid"] != before
        assert services["server"]["status"] == "running"
        unknown = governed.connect("POST", "/api/governor/handlers/nobody/restart")
        assert (unknown.status, "nobody" in json.loads(unknown.read())["detail"]) == (404, True)
        events(stream, "handler.changed", handler_id="h1", status="Connected")
        time.sleep(50)
        assert [stream.readline() for _ in range(6)] == [b"\n", b": still here\n"] * 3
        metrics = governed.connect("GET", "/metrics").read().decode()
        assert 'schedule_zero_jobs_finished_total{handler="h1",outcome="success"} 1.0' in metrics.splitlines()
        governed.process.terminate()
        assert governed.process.wait(60) == 0
        assert stream.read() == b"\n"
