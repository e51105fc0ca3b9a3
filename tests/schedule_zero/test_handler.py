"""Handlers as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.zmq, pytest.mark.integration]

MODULE = """
import time
from schedule_zero.zmq_handler_base import BaseHandler

class Good(BaseHandler):
    def __init__(self, *args, volume=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.volume_set = volume
    def volume(self):
        return self.volume_set
    def slow(self, seconds):
        time.sleep(seconds)
        return "done"

class NotAHandler:
    pass
"""

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start handler processes in a folder that holds a module of handlers; kill what is left."""
    (tmp_path / "my_handlers.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("1 / 0")
    processes: list[subprocess.Popen[str]] = []

    def start(
        *options: str, module: str = "my_handlers", name: str = "Good", **more: Any
    ) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "schedule_zero.handler", "--module", module, "--class", name]
        command += ["--handler-id", "h1", "--runtime-file", str(tmp_path / "runtime.json"), *options]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **more)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=10.0)


@pytest.fixture
def ready(tmp_path: Path, until: Any) -> Callable[[], dict[str, Any]]:
    """Wait until the process says where it listens."""

    def wait() -> dict[str, Any]:
        path = tmp_path / "runtime.json"
        until(path.exists, what="the runtime file", timeout=20.0)
        facts: dict[str, Any] = json.loads(path.read_text())
        return facts

    return wait


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_stop_it_cleanly(spawn: Spawn, ready: Any, number: signal.Signals) -> None:
    """Each of the three signals ends the process with 0, soon."""
    process = spawn()
    facts = ready()
    assert facts["pid"] == process.pid
    with ZMQClient(facts["address"], timeout=10_000) as client:
        assert client.ping()
    began = time.monotonic()
    process.send_signal(number)

    assert process.wait(10.0) == 0
    assert time.monotonic() - began < 5.0


def test_stop_finishes_the_running_call(spawn: Spawn, ready: Any, until: Any) -> None:
    """A call that runs at SIGTERM is answered before the process ends."""
    process = spawn()
    address = ready()["address"]
    with ZMQClient(address, timeout=10_000) as caller, ZMQClient(address, timeout=10_000) as watcher:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(caller.call("slow", {"seconds": 0.5})))
        thread.start()
        until(lambda: watcher.call_raw("ping").extra["running"] == 1, what="the call to run")
        process.send_signal(signal.SIGTERM)
        thread.join(10.0)
    assert answers == ["done"]
    assert process.wait(10.0) == 0


def test_configuration_reaches_the_class(spawn: Spawn, ready: Any) -> None:
    """--config-json becomes keyword arguments of the class."""
    spawn("--config-json", '{"volume": 11}')
    with ZMQClient(ready()["address"], timeout=10_000) as client:
        assert client.call("volume") == 11


@pytest.mark.parametrize(
    ("options", "module", "name", "message"),
    [
        ([], "nowhere", "Good", "cannot import 'nowhere': ModuleNotFoundError: No module named 'nowhere'"),
        ([], "broken", "Good", "cannot import 'broken': ZeroDivisionError: division by zero"),
        ([], "my_handlers", "Missing", "module 'my_handlers' has no class 'Missing'"),
        ([], "my_handlers", "NotAHandler", "my_handlers.NotAHandler must be a subclass"),
        (["--config-json", "{"], "my_handlers", "Good", "--config-json is not JSON"),
        (["--config-json", "[]"], "my_handlers", "Good", "--config-json must be an object, found list"),
        (
            ["--config-json", '{"colour": 1}'],
            "my_handlers",
            "Good",
            "cannot be made with ['colour', 'concurrency']",
        ),
        (["--port", "70000"], "my_handlers", "Good", "a port lies in 0..65535"),
        (["--lifeline-fd", "99"], "my_handlers", "Good", "--lifeline-fd 99 is no open descriptor"),
    ],
)
def test_wrong_configuration(spawn: Spawn, options: list[str], module: str, name: str, message: str) -> None:
    """A handler that cannot be made is one clear line without a traceback, and exit code 2."""
    process = spawn(*options, module=module, name=name)
    _, errors = process.communicate(timeout=20.0)
    assert process.returncode == 2
    assert errors.startswith("schedule-zero handler: ")
    assert message in errors
    assert errors.count("\n") == 1


def test_port_taken(spawn: Spawn) -> None:
    """A port that is in use ends the process with 3."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = spawn("--port", str(port))
        _, errors = process.communicate(timeout=20.0)
    assert process.returncode == 3
    assert f"tcp://127.0.0.1:{port} is in use" in errors


def test_lost_parent_ends_it(spawn: Spawn, ready: Any) -> None:
    """When the writing end of the lifeline closes, the handler stops by itself: no orphan is left."""
    reader, writer = os.pipe()
    process = spawn("--lifeline-fd", str(reader), pass_fds=[reader])
    os.close(reader)
    ready()
    os.close(writer)
    assert process.wait(10.0) == 0


def test_it_imports_only_what_it_needs() -> None:
    """Handlers start quickly because none of the server's libraries come along."""
    heavy = ("apscheduler", "sqlalchemy", "tornado", "structlog", "ruamel", "pydantic")
    script = f"import sys, schedule_zero.handler; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_pace_of_registration_comes_with_the_configuration(spawn: Spawn, ready: Any) -> None:
    """A governor gives it as it gives any other keyword; a pace that makes no sense is a configuration error."""
    spawn("--config-json", '{"timing": {"heartbeat": 0.5, "retry_delay": 1}}')
    ready()
    process = spawn("--config-json", '{"timing": {"jitter": 7}}')
    assert process.wait(30.0) == 2
    assert process.stderr is not None
    assert "timing.jitter lies in 0..1, found 7" in process.stderr.read()
