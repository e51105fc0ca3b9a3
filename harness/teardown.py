"""Taking a target down, step by step: each with a deadline, each tried whatever the one before it said."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable

from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, Event
from harness.targets.base import StopHow, Target

PROBLEM = "teardown-problem"
"""Name of the event that tells of a step that failed; its place is the step."""
FORCE = 5.0
"""Seconds beyond its own limit that a stop may take to use force."""
HURRIED = 3.0
"""Seconds a step may take once somebody is in a hurry."""
_WIND_UP = 2.0
"""Seconds that a step which was cancelled may take to end; then it is left behind."""


class Teardown:
    """Collect, stop, look for left-overs, close. `limit` is in seconds and for each step; `hurried` tells
    whether all is
    to be killed at once.
    """

    def __init__(self, target: Target, recorder: Recorder, limit: float, hurried: Callable[[], bool]) -> None:
        self._target, self._recorder, self._limit, self._hurried = target, recorder, limit, hurried

    async def run(self) -> None:
        """Do all of it. Never raises for what the target does: that becomes an event of the history."""
        if not self._hurried():
            await self._attempt("collect", lambda: self._take(self._target.collect()))
        await self._attempt("stop", self._stop, self._limit + FORCE)
        if self._hurried():
            await self._attempt(
                "kill", lambda: self._target.stop(StopHow.KILL, timeout=HURRIED), HURRIED + FORCE
            )
        await self._attempt("collect files", lambda: self._take(self._target.collect_files()))
        await self._attempt("audit", lambda: self._take(self._audit()))
        await self._attempt("close", self._target.close)

    def _audit(self) -> Awaitable[Iterable[AnyRecord]]:
        if self._hurried():  # what was killed has left things lying, and nobody will clear them away
            return self._target.audit("final", timeout=0.0)
        return self._target.audit("final")

    async def _stop(self) -> None:
        await self._target.stop(StopHow.KILL if self._hurried() else StopHow.TERM, timeout=self._limit)

    async def _take(self, asked: Awaitable[Iterable[AnyRecord]]) -> None:
        for record in await asked:
            self._recorder.append(record)

    async def _attempt(
        self, what: str, action: Callable[[], Awaitable[object]], limit: float | None = None
    ) -> None:
        """Run one step; an interrupt never skips it, and cuts it short once everything is to be killed."""
        given = self._limit if limit is None else limit
        if self._hurried():
            given = min(given, HURRIED)
        task = asyncio.ensure_future(action())
        cut = await self._wait(task, given)
        if not task.done():
            error = f"not done after {given:g} s, and could not be cancelled"
        elif task.cancelled():
            error = "cut short by the second interrupt" if cut else f"not done after {given:g} s"
        elif (raised := task.exception()) is not None:
            error = "".join(traceback.format_exception_only(raised)).strip()
        else:
            return
        self._recorder.event(PROBLEM, what, error=error)

    async def _wait(self, task: asyncio.Future[object], limit: float) -> bool:
        """Wait for `task`, then cancel it and wait a little more; whether an interrupt ended it."""
        loop = asyncio.get_running_loop()
        deadline, cut, cancelled = loop.time() + limit, False, False
        while not task.done():
            try:
                await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
            except asyncio.CancelledError:
                if not self._hurried():
                    continue
                cut = True
            if task.done() or (cancelled and loop.time() >= deadline):
                break
            if not cancelled:
                task.cancel()
                cancelled, deadline = True, loop.time() + _WIND_UP
        return cut


def problems(events: Iterable[Event]) -> list[str]:
    """What went wrong while targets were taken down, one text a step."""
    return [f"{event.place}: {event.detail.get('error')}" for event in events if event.name == PROBLEM]
