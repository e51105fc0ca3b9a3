"""The lives of one scheduler, one after the other: each begins, and ends by our will or by its own."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import NeverReady, TargetError
from harness.scenario.model import GovernorSpec
from harness.targets.apscheduler.host import Settings
from harness.targets.apscheduler.links import Gone, Link, ProcessLink, ThreadLink
from harness.targets.apscheduler.notes import Notes
from harness.targets.base import StopResult

_TAIL = 2000
"""Characters of the log that an error tells."""
_FORCE = 5.0
"""Seconds a process may take to be gone after SIGKILL."""


class Life:
    """Begins and ends the scheduler and knows whether it is up. One that dies is started again as `governor` says."""

    def __init__(
        self,
        settings: Settings,
        notes: Notes,
        *,
        in_thread: bool,
        environment: Mapping[str, str],
        logs: Path,
        setup: float,
        governor: GovernorSpec,
    ) -> None:
        self._settings, self._notes, self._in_thread = settings, notes, in_thread
        self._environment, self._logs, self._setup, self._governor = environment, logs, setup, governor
        self._link: Link | None = None
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._code: int | None = None
        self._how, self._since, self._error = "", 0.0, ""
        self._last_up = float("-inf")
        self._restarts = 0
        self._restarting: asyncio.Task[None] | None = None
        self._closing = False
        self.journals: list[Path] = []

    @property
    def up(self) -> bool:
        """Whether it works."""
        return self._link is not None and self._ready.is_set()

    @property
    def pid(self) -> int:
        """Of its process; 0 when it has none."""
        return self._link.pid if self._link is not None else 0

    def ever_up(self, since: float) -> bool:
        """Whether it was up at the monotonic time `since` or later, so that it may have heard what it was asked."""
        return self._last_up >= since

    async def ask(self, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of its host; raises `Gone` when there is none."""
        if self._link is None or not self._ready.is_set():
            raise Gone("the scheduler is not running")
        return await self._link.ask(op, args)

    async def begin(self) -> None:
        """Start it; returns when it works, raises `NeverReady` when it does not. What runs already is left alone."""
        if self._link is not None:
            await _happens(self._ready, self._setup)
            return
        self._ready, self._gone = asyncio.Event(), asyncio.Event()
        self._code, self._how, self._error = None, "", ""
        begun = self._notes.now()
        number = len(self.journals) + 1
        journal, log = self._logs / f"scheduler-{number}.jsonl", self._logs / "scheduler.log"
        self.journals.append(journal)
        link = self._link = self._make(dataclasses.replace(self._settings, journal=str(journal)), log)
        link.start()
        self._notes.spawned(link.pid)
        waits = [asyncio.ensure_future(event.wait()) for event in (self._ready, self._gone)]
        try:
            await asyncio.wait(waits, timeout=self._setup, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._ready.is_set():
            said = self._error or f"it did not say so within {self._setup:g} s"
            raise NeverReady(f"waited for the scheduler to be ready: {said}; log:\n{_tail(log)}")
        self._notes.up(link.pid, begun)

    def _make(self, settings: Settings, log: Path) -> Link:
        if self._in_thread:
            return ThreadLink(settings, self._event, self._ended)
        return ProcessLink(settings, self._environment, log, self._event, self._ended)

    async def end(self, number: signal.Signals, *, timeout: float, times: int = 1) -> StopResult:
        """Tell it to end; by force after `timeout` seconds. What does not run is left alone."""
        self._give_up_restart()
        if (link := self._link) is None:
            return StopResult(0.0, self._code, forced=False)
        begun = self._since = self._notes.now()
        self._how = "stop"
        for _ in range(times):
            link.stop(number)
        forced = not await _happens(self._gone, timeout)
        if forced:
            self._how = "kill"
            link.kill()
            await self._until_gone()
        return StopResult(self._notes.now() - begun, self._code, forced)

    async def kill(self) -> StopResult:
        """End it by SIGKILL; raises `TargetError` where that cannot be done."""
        self._give_up_restart()
        if (link := self._link) is None:
            return StopResult(0.0, self._code, forced=False)
        begun = self._notes.now()
        link.kill()
        self._how, self._since = "kill", begun
        await self._until_gone()
        return StopResult(self._notes.now() - begun, self._code, forced=False)

    async def close(self) -> None:
        """End what is left by force. Never raises."""
        self._closing = True
        self._give_up_restart()
        if (link := self._link) is not None:
            try:
                link.kill()
            except TargetError:
                link.stop(signal.SIGTERM)
            await _happens(self._gone, _FORCE)

    async def _until_gone(self) -> None:
        if not await _happens(self._gone, _FORCE):
            raise TargetError(f"the scheduler (pid {self.pid}) still lives {_FORCE:g} s after SIGKILL")

    def _event(self, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "ready":
                self._last_up = self._notes.now()
                self._notes.made(durable=message["durable"], max_jobs=message["max_jobs"])
                self._ready.set()
            case "crashed":
                self._error = message["error"]

    def _ended(self, code: int | None) -> None:
        link, now = self._link, self._notes.now()
        assert link is not None
        was_up = self._ready.is_set()
        self._link, self._code = None, code
        if was_up:
            self._last_up = now
        how = self._how or ("death" if code is not None and code < 0 else "crash")
        self._notes.down(link.pid, self._since if self._how else now, how, code, self._error)
        self._gone.set()
        if not self._how and was_up and self._may_restart(code):
            self._restarting = asyncio.ensure_future(self._restart())

    def _may_restart(self, code: int | None) -> bool:
        wanted = self._governor.restart == "always" or (self._governor.restart == "on-failure" and code != 0)
        return wanted and not self._closing and self._restarts < self._governor.max_restarts

    async def _restart(self) -> None:
        """Start it again, and again when it dies before it works."""
        while self._link is None and self._restarts < self._governor.max_restarts:
            self._restarts += 1
            await asyncio.sleep(self._governor.restart_delay)
            try:
                await self.begin()
            except TargetError as error:
                self._error = str(error)

    def _give_up_restart(self) -> None:
        if self._restarting is not None and not self._restarting.done():
            self._restarting.cancel()
        self._restarting = None


async def _happens(event: asyncio.Event, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _tail(log: Path) -> str:
    try:
        return log.read_text("utf-8", "replace")[-_TAIL:]
    except OSError:
        return "(none)"
