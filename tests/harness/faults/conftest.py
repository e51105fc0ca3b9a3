"""What the tests of the faults share: children to act on, places, a recorder, and a target that is made of
plain objects.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.agent.journal import Journal
from harness.agent.protocol import socket_path
from harness.agent.server import AgentServer
from harness.targets.base import Place, PlaceKind

Spawn = Callable[..., subprocess.Popen[bytes]]

_IDLE = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python children that run until their input ends; whatever is left of them ends with the test."""
    children: list[subprocess.Popen[bytes]] = []

    def start(code: str = _IDLE, **options: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
        )
        children.append(child)
        child.stdout.readline()
        return child  # type: ignore[no-any-return]

    yield start
    for child in children:
        family = []
        if psutil.pid_exists(child.pid) and child.poll() is None:
            family = psutil.Process(child.pid).children(recursive=True)
        child.kill()
        for member in family:
            member.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def place_of_child() -> Callable[[subprocess.Popen[bytes]], Place]:
    """The place of a child, with its start time."""

    def place(child: subprocess.Popen[bytes], name: str = "h1") -> Place:
        started = psutil.Process(child.pid).create_time()
        return Place(PlaceKind.HANDLER, name, "handlers", pid=child.pid, started=started)

    return place


class Agent:
    """The harness's own agent server in this process, with a plug-in that remembers what was armed."""

    def __init__(self, directory: Path) -> None:
        self.server = AgentServer(directory, Journal(directory / "journal.jsonl"))
        self.address = str(socket_path(directory, os.getpid()))
        self.armed: dict[str, dict[str, Any]] = {}
        self.last: dict[str, Any] = {}
        self.strikes = 3
        self.armings = 0
        self.server.command("arm", self._arm)
        self.server.command("disarm", self._disarm)
        self.server.start()

    @property
    def switches(self) -> dict[str, Any]:
        """The switches as code inside the process sees them."""
        return self.server.switches

    def close(self) -> None:
        """Take the door away, as the end of the process would."""
        Path(self.address).unlink(missing_ok=True)

    def _arm(self, **order: Any) -> dict[str, Any]:
        if order["socket"] != "req":
            raise ValueError("only req is known here")
        self.last = order
        self.armings += 1
        self.armed[order["id"]] = order
        return {}

    def _disarm(self, id: str) -> dict[str, Any]:
        del self.armed[id]
        return {"struck": self.strikes}


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent to arm faults and switch behaviours at; its socket lies in a short path, which Unix sockets
    need.
    """
    with tempfile.TemporaryDirectory(prefix="hx-") as directory:
        served = Agent(Path(directory))
        served.server.obey("handler")
        yield served
        served.server.close()
        served.server.journal.close()
