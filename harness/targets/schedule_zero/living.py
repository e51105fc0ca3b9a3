"""The processes of a deployment while they live: when they come, and whether they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import psutil

from harness.errors import TargetError
from harness.history.recorder import Recorder
from harness.history.records import Process, ProcessEvent
from harness.lifecycle.postconditions import listening_ports, runs
from harness.targets.base import StopResult


class Sightings:
    """Records which processes of a run come and go, and the `ports` they were seen to listen on.

    `processes` tells the living ones by name.
    """

    def __init__(self, recorder: Recorder, processes: Callable[[], Iterable[tuple[str, psutil.Process]]]) -> None:
        self._recorder, self._processes = recorder, processes
        self._seen: dict[str, int] = {}
        self.ports: set[int] = set()
        self._started = self._audited = 0

    async def look(self) -> None:
        """Record what has changed since the last look."""
        alive = await asyncio.to_thread(lambda: dict(self._processes()))
        now = self._recorder.now()
        for name, pid in list(self._seen.items()):
            if name not in alive or alive[name].pid != pid:
                self._recorder.append(Process(at=now, name=name, pid=pid, event=ProcessEvent.EXITED))
                del self._seen[name]
        for name, process in alive.items():
            if name not in self._seen:
                self._seen[name] = process.pid
                self._started += 1
                self._recorder.append(Process(at=now, name=name, pid=process.pid, event=ProcessEvent.STARTED))
                self.ports.update(await asyncio.to_thread(listening_ports, process))

    def to_audit(self, scope: str) -> int:
        """How many processes came that may have stayed: in a cycle those since the last one, in the end all."""
        new, self._audited = self._started - self._audited, self._started
        return new if scope.startswith("cycle") else self._started

    def all_gone(self, result: StopResult) -> None:
        """Everything has ended, the first governor with the result's exit code."""
        now = self._recorder.now()
        codes = {name: end.code for name, end in result.parts.items()} | {"governor": result.code}
        for name, pid in self._seen.items():
            ended_with = codes.get(name)
            self._recorder.append(Process(at=now, name=name, pid=pid, event=ProcessEvent.EXITED, code=ended_with))
        self._seen.clear()


async def ended(name: str, pid: int, started: float, *, timeout: float = 3.0) -> None:
    """Wait for a process that `started` then (Unix seconds) to end; raises `TargetError` when it has not within
    `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while runs(pid, started):
        if loop.time() >= deadline:
            raise TargetError(f"the process of {name} (pid {pid}) still runs {timeout:g} s after {name} was removed")
        await asyncio.sleep(0.03)
