"""The server as a process: killed and restarted it loses nothing and repeats nothing; its exit codes say why it
ended.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.exits import ExitCode
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.integration


class Slow(BaseHandler):
    """Takes its time, and counts how often each job was really done."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.done: Counter[int] = Counter()
        self.lock = threading.Lock()

    def work(self, n: int) -> int:
        """Work for a moment."""
        time.sleep(0.05)  # the work's duration, by which jobs are under way at the moment of the kill
        with self.lock:
            self.done[n] += 1
        return n


class Hanging(BaseHandler):
    """Never answers in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.called = threading.Event()
        self.gate = threading.Event()

    def hang(self) -> None:
        """Wait for the end of the test."""
        self.called.set()
        self.gate.wait(30.0)


class Process:
    """A server process on one database and one pair of ports, which can be killed and started again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.runtime = folder / "runtime.json"
        self.log = folder / "server.log"
        self.config = folder / "deployment.yaml"
        self.settings = settings
        self.child: subprocess.Popen[bytes] | None = None
        self.ports: dict[str, Any] = {}

    def start(
        self, *, zmq_port: int = 0, wait: bool = True, options: tuple[str, ...] = (), **popen: Any
    ) -> None:
        """Start it; returns when it is ready."""
        self.runtime.unlink(missing_ok=True)
        lines = [
            f"http: {{host: 127.0.0.1, port: {self.settings.get('http_port', 0)}}}",
            f"zmq: {{host: 127.0.0.1, port: {zmq_port}}}",
            f"database: {self.settings.get('database', 'jobs.db')}",
            "registry: registry.yaml",
            "scheduler: {per_handler_jobs: 8, call_timeout: 10s, "
            f"stop_timeout: {self.settings.get('stop_timeout', '1s')}}}",
            "retry: {attempts: 5, base: 100ms}",
        ]
        self.config.write_text("\n".join(lines))
        command = [sys.executable, "-m", "schedule_zero.server", "--config", str(self.config)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("SCHEDULEZERO_")}
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--runtime-file", str(self.runtime), *options], stderr=log, env=env, **popen
            )
        if wait:
            until(self.runtime.exists, f"the runtime file; log: {self.log.read_text()[-2000:]}")
            self.ports = json.loads(self.runtime.read_text())

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it with a signal; returns the exit code."""
        assert self.child is not None
        self.child.send_signal(number)
        return self.child.wait(20.0)

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """One HTTP request; returns status and JSON body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http_port"], timeout=10.0)
        try:
            connection.request(verb, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def until(condition: Callable[[], Any], what: str, timeout: float = 30.0) -> Any:
    """Wait for a condition; a failure says what was waited for."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {timeout:g} s in vain for {what}")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A server that is not started yet; killed at the end whatever happens."""
    made = Process(tmp_path)
    yield made
    if made.child is not None and made.child.poll() is None:
        made.child.kill()
        made.child.wait(10.0)


def connected(process: Process) -> bool:
    """Whether the handler is registered."""
    _, body = process.ask("GET", "/api/handlers")
    return any(handler["status"] == "Connected" for handler in body["handlers"])


def knows(process: Process, handler_id: str) -> bool:
    """Whether a handler of this name has registered."""
    return bool(process.ask("GET", f"/api/handlers/{handler_id}")[0] == 200)


def succeeded(process: Process, job_id: str) -> bool:
    """Whether the job has ended well."""
    return bool(process.ask("GET", f"/api/jobs/{job_id}")[1].get("outcome") == "success")


def test_killed_again_and_again_it_loses_and_repeats_nothing(process: Process) -> None:
    """Killed with SIGKILL three times while jobs are accepted and run, it ends with one outcome for each
    accepted job.

    The handler did each job once: it answers a repeated request id from its memory.
    """
    process.start()
    accepted: dict[str, int] = {}
    number = 0
    handler = Slow("h", server_address=process.ports["registration_address"], concurrency=8, heartbeat=0.1)
    with handler:
        for _ in range(3):
            until(lambda: connected(process), "the handler's registration")
            for _ in range(20):
                number += 1
                status, body = process.ask(
                    "POST",
                    "/api/run_now",
                    {"handler_id": "h", "job_method": "work", "job_params": {"n": number}},
                )
                assert status == 202
                accepted[body["job_id"]] = number
            process.kill()
            process.start(zmq_port=process.ports["zmq_port"])

        def outcomes() -> list[dict[str, Any]] | None:
            _, body = process.ask("GET", "/api/executions?limit=1000")
            return body["executions"] if len(body["executions"]) >= len(accepted) else None

        executions = until(outcomes, f"{len(accepted)} outcomes")
        done = dict(handler.done)
    assert {e["job_id"]: (e["outcome"], e["result"]) for e in executions} == {
        job_id: ("success", n) for job_id, n in accepted.items()
    }
    assert done == dict.fromkeys(accepted.values(), 1)
    with contextlib.closing(sqlite3.connect(process.folder / "jobs.db")) as database:
        assert until(lambda: database.execute("SELECT count(*) FROM jobs").fetchone() == (0,), "an empty queue")
    assert process.kill(signal.SIGTERM) == ExitCode.OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_stops_it_cleanly(process: Process, number: int) -> None:
    """Exit code 0, no runtime file left, the ports free again."""
    process.start()
    assert process.ports["pid"] == process.child.pid  # type: ignore[union-attr]
    assert process.ask("GET", "/api/health")[1]["status"] == "ok"
    assert process.kill(number) == ExitCode.OK
    assert not process.runtime.exists()
    with socket.create_server(("127.0.0.1", process.ports["http_port"])):
        pass
    assert "Traceback" not in process.log.read_text()


def test_a_successors_runtime_file_is_left(process: Process) -> None:
    """A server that ends after another has taken its place does not remove the other's word."""
    process.start()
    process.runtime.write_text('{"pid": 1}')
    assert process.kill(signal.SIGTERM) == ExitCode.OK
    assert process.runtime.read_text() == '{"pid": 1}'


def test_a_stop_does_not_wait_for_a_call_that_hangs(process: Process) -> None:
    """With a handler that never answers, SIGTERM ends the process soon after its stop_timeout of one second."""
    process.start()

    handler = Hanging("h", server_address=process.ports["registration_address"])
    with handler:
        until(lambda: connected(process), "the handler's registration")
        _, body = process.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "hang"})
        until(lambda: process.ask("GET", f"/api/jobs/{body['job_id']}")[1]["state"] == "running", "the call")
        begun = time.monotonic()
        assert process.kill(signal.SIGTERM) == ExitCode.OK
        assert time.monotonic() - begun < 6.0
        handler.gate.set()
    with contextlib.closing(sqlite3.connect(process.folder / "jobs.db")) as database:
        assert database.execute("SELECT id, acquired_by FROM jobs").fetchall() == [(body["job_id"], None)]


def test_a_taken_port_is_told_in_one_line(process: Process) -> None:
    """Exit code 3, and the database is not touched."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process.settings["http_port"] = port
        process.start(wait=False)
        assert process.child is not None
        assert process.child.wait(20.0) == ExitCode.PORT_TAKEN
    log = process.log.read_text()
    assert f"port {port} on 127.0.0.1 is taken" in log
    assert "Traceback" not in log
    assert not (process.folder / "jobs.db").exists()


def test_a_taken_registration_port_is_told_in_one_line(process: Process) -> None:
    """Exit code 3 for the ZeroMQ port too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process.start(zmq_port=taken.getsockname()[1], wait=False)
        assert process.child is not None
        assert process.child.wait(20.0) == ExitCode.PORT_TAKEN
    assert "Traceback" not in process.log.read_text()


def test_a_store_that_cannot_be_used_is_told_in_one_line(process: Process) -> None:
    """Exit code 4 for a file that is no database."""
    (process.folder / "jobs.db").write_text("dear diary " * 100)
    process.start(wait=False)
    assert process.child is not None
    assert process.child.wait(20.0) == ExitCode.STORE
    log = process.log.read_text()
    assert "file is not a database" in log
    assert "Traceback" not in log


def test_a_wrong_configuration_is_told_in_one_line(process: Process) -> None:
    """Exit code 2 with the place of the mistake."""
    process.start(wait=False, options=("--config", str(process.folder / "absent.yaml")))
    assert process.child is not None
    assert process.child.wait(20.0) == ExitCode.CONFIG
    assert "absent.yaml" in process.log.read_text()


def test_an_orphan_does_not_wait_long_for_its_calls(process: Process) -> None:
    """With a stop_timeout of a minute and a call that hangs, losing the lifeline ends the server in seconds; the
    job is kept.
    """
    process.settings["stop_timeout"] = "60s"
    reader, writer = os.pipe()
    process.start(options=("--lifeline-fd", str(reader)), pass_fds=(reader,))
    os.close(reader)
    handler = Hanging("h", server_address=process.ports["registration_address"])
    with handler:
        until(lambda: connected(process), "the handler's registration")
        _, body = process.ask("POST", "/api/run_now", {"handler_id": "h", "job_method": "hang"})
        until(handler.called.is_set, "the call")
        os.close(writer)
        assert process.child is not None
        assert process.child.wait(8.0) == ExitCode.OK
        handler.gate.set()
    with contextlib.closing(sqlite3.connect(process.folder / "jobs.db")) as database:
        assert database.execute("SELECT id, acquired_by FROM jobs").fetchall() == [(body["job_id"], None)]


def test_the_death_of_its_governor_stops_it(process: Process) -> None:
    """When the other end of the lifeline closes the server stops by itself, cleanly."""
    reader, writer = os.pipe()
    process.start(options=("--lifeline-fd", str(reader)), pass_fds=(reader,))
    os.close(reader)
    os.close(writer)
    assert process.child is not None
    assert process.child.wait(20.0) == ExitCode.OK
    assert not process.runtime.exists()


def test_a_database_that_is_removed_under_it_takes_no_more_jobs(process: Process) -> None:
    """What would be lost at the next start is refused with 503, and health tells why; moved back, all goes on."""
    process.start()
    later = {"job_id": "s", "handler_id": "h", "job_method": "work", "trigger": {"type": "interval", "hours": 1}}
    with Slow("h", server_address=process.ports["registration_address"], heartbeat=0.1):
        until(lambda: connected(process), "the handler's registration")
        path, aside = process.folder / "jobs.db", process.folder / "aside.db"
        path.rename(aside)
        status, body = process.ask("POST", "/api/schedule", later)
        assert (status, body["title"]) == (503, "Temporarily unavailable")
        assert body["detail"].startswith(f"the database file {path} was removed or replaced under the running server")
        _, health = process.ask("GET", "/api/health")
        assert (health["status"], health["parts"]["store"]) == ("degraded", {"ok": False, "detail": body["detail"]})
        aside.rename(path)
        assert process.ask("POST", "/api/schedule", later)[0] == 201
    process.kill()
    process.start()
    assert process.ask("GET", "/api/schedules/s")[0] == 200


def test_a_crowd_of_silent_connections_takes_no_more_than_its_share_of_descriptors(process: Process) -> None:
    """With 200 descriptors in all and 400 connections to the registration that say nothing, handlers register, jobs
    run and the API answers at once; what was done about it is logged once, and counted.
    """
    most = (200, 200)
    process.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, most))
    address = process.ports["registration_address"]
    child = process.child
    assert child is not None
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with contextlib.ExitStack() as stack:
        stack.enter_context(Slow("h", server_address=address, heartbeat=0.1))
        until(lambda: connected(process), "the handler's registration")
        for _ in range(400):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=5.0))
        begun = time.monotonic()
        stack.enter_context(Slow("late", server_address=address))
        for name in ("h", "late"):
            until(partial(knows, process, name), f"{name}'s registration")
            body = {"handler_id": name, "job_method": "work", "job_params": {"n": 1}}
            _, accepted = process.ask("POST", "/api/run_now", body)
            until(partial(succeeded, process, accepted["job_id"]), f"the job of {name}")
        assert time.monotonic() - begun < 5.0
        assert len(list(Path(f"/proc/{child.pid}/fd").iterdir())) < 120
        with urllib.request.urlopen(f"http://127.0.0.1:{process.ports['http_port']}/metrics", timeout=10.0) as answer:
            [line] = [each for each in answer if each.startswith(b"schedule_zero_registration_displaced_total ")]
        assert 350 <= float(line.split()[1]) <= 360
    assert process.log.read_text().count("more than 50 connections: ") == 1
