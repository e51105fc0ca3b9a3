"""What the tests of the faults share: children to act on, places, a recorder, and a target that is made of
plain objects.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from harness.agent.journal import Journal
from harness.agent.protocol import socket_path
from harness.agent.server import AgentServer
from harness.errors import FaultError
from harness.faults.base import Args, Fault
from harness.faults.injector import Injector
from harness.faults.plan import draw_plan
from harness.faults.registry import kinds
from harness.history.recorder import Recorder
from harness.history.records import Fault as FaultRecord
from harness.scenario.model import Scenario
from harness.scenario.streams import Streams
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
    with tempfile.TemporaryDirectory(prefix="hf-") as directory:
        served = Agent(Path(directory))
        served.server.obey("handler")
        yield served
        served.server.close()
        served.server.journal.close()


class NoteArgs(Args):
    """What the noting fault is told."""

    inject_error: str = ""
    heal_error: str = ""
    hang: float = 0.0
    behind: str = ""
    """An entry of the journal that its heal waits for."""


def noting(journal: list[str]) -> tuple[type[Fault[Any]], type[Fault[Any]]]:
    """Two kinds of fault that note in `journal` what is done with them: one that lasts, one that is over at once."""

    class Note(Fault[NoteArgs]):
        """Notes it, and fails or hangs when told to."""

        kind = "test.note"
        about = "notes what is done with it"
        accepts = (PlaceKind.HANDLER,)
        args_model = NoteArgs
        deadline = 0.2

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if self.args.behind:
                self.deadline = 5.0

        def inject(self) -> Any:
            """Note it."""
            if self.args.inject_error:
                raise FaultError(self.args.inject_error)
            journal.append(f"+{self.fault_id}@{self.place.name}")
            return {"threads": threading.current_thread().name}

        def heal(self) -> Any:
            """Note it, or fail, or hang."""
            time.sleep(self.args.hang)
            while self.args.behind and self.args.behind not in journal:
                time.sleep(0.005)
            if self.args.heal_error:
                raise RuntimeError(self.args.heal_error)
            journal.append(f"-{self.fault_id}@{self.place.name}")
            return {}

    class Instant(Note):
        """The same, over at once."""

        kind = "test.instant"

        @classmethod
        def lasts(cls, args: Any) -> Any:
            """No time at all."""
            return 0.0

    return Note, Instant


class Target:
    """A target of three handlers, or of the given places."""

    run_tag = ""

    def __init__(self, *places: Any) -> None:
        self.here = list(places) or [Place(PlaceKind.HANDLER, f"h{n}", "handlers") for n in (1, 2, 3)]

    def places(self) -> Any:
        """The places as a test left them."""
        return tuple(self.here)

    async def restart_handler(self, name: Any) -> None:
        """Never asked in these tests."""
        raise AssertionError(name)


class Stage:
    """Plays plans of noting faults; `journal` tells what was done, in order."""

    target = Target

    def __init__(self) -> None:
        self.journal: list[str] = []

    def play(self, faults: Any, body: Any = None, *, target: Any = None, seed: int = 1, nemesis: Any = None) -> Any:
        """Play the plan of `faults` while `body` runs; returns the fault records."""
        scenario = Scenario.model_validate(
            {
                "scenario": 1,
                "name": "s",
                "kind": "chaos",
                "target": {"driver": "x"},
                "faults": faults,
                "nemesis": nemesis,
                "workload": [{"id": "w", "op": "o", "model": "once"}],
            }
        )
        known: Any = {**kinds(lambda: ()), **{kind.kind: kind for kind in noting(self.journal)}}
        recorder = Recorder()

        async def run() -> None:
            streams = Streams(seed)
            plan = draw_plan(
                scenario,
                streams,
                60.0,
                lasts=lambda spec: known[spec.kind].lasts(None) if "test" in spec.kind else None,
            )
            recorder.begin_run()
            async with Injector(
                scenario, plan, target or cast(Any, Target()), recorder, streams, among=known
            ) as injector:
                await (body(recorder, injector) if body else asyncio.sleep(0))

        try:
            asyncio.run(run())
        finally:
            records = recorder.close().of(FaultRecord)
        return records

    @staticmethod
    def note(fault_id: Any = "f", **more: Any) -> Any:
        """A noting fault in a scenario."""
        return {"id": fault_id, "kind": "test.note", "where": "h1", **more}

    @staticmethod
    def life(records: Any, fault_id: Any = "f") -> Any:
        """The life of one fault, event by event."""
        return [record.event.value for record in records if record.id == fault_id]

    @staticmethod
    async def until(condition: Any, timeout: Any = 10.0) -> None:
        """Wait until `condition` holds."""
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.005)

    def healed(self, count: Any) -> Any:
        """A body that waits until so many heals were noted."""

        async def body(recorder: Any, injector: Any) -> None:
            await self.until(lambda: sum(entry.startswith("-") for entry in self.journal) >= count)

        return body


@pytest.fixture
def stage() -> Stage:
    """Where plans of noting faults are played."""
    return Stage()
