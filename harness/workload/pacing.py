"""Sleeping until a moment, or until told to stop, whichever comes first."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Pacer:
    """Puts coroutines to sleep; wakes them all when `stop` is set. Used as ``async with``, in one event loop.

    It asks the loop for nothing but `time` and `call_at`: under a loop with virtual time it sleeps virtual
    seconds.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._sleepers: dict[asyncio.Future[None], None] = {}
        self._watcher: asyncio.Task[bool] | None = None

    @property
    def stopped(self) -> bool:
        """Whether it is time to stop."""
        return self._stop.is_set()

    async def __aenter__(self) -> Self:
        self._watcher = asyncio.create_task(self._stop.wait(), name="pacer: stop")
        self._watcher.add_done_callback(lambda _: self.wake())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})

    async def until(self, when: float | None) -> bool:
        """Sleep until the loop's clock shows `when` (None: until `wake`); False when it was stopped.

        An asyncio timer may fire one clock resolution early. Go on when this returns True; compare no clocks
        again, or a loop with virtual time arms the same timer for ever (simulation.md, section 5).
        """
        if self.stopped:
            return False
        sleeper: asyncio.Future[None] = self._loop.create_future()
        timer = None if when is None else self._loop.call_at(when, _finish, sleeper)
        self._sleepers[sleeper] = None
        try:
            await sleeper
        finally:
            if timer is not None:
                timer.cancel()
            del self._sleepers[sleeper]
        return not self.stopped

    def wake(self) -> None:
        """Let everyone who sleeps look at the world again."""
        for sleeper in list(self._sleepers):
            _finish(sleeper)

    async def gather(self, tasks: list[asyncio.Task[None]], *, limit: float | None, grace: float) -> None:
        """Wait until all `tasks` are done: `limit` seconds at most (None: for ever), `grace` after a stop."""
        if not tasks:
            return
        waiting = asyncio.create_task(_wait(tasks, limit))
        try:
            if not self.stopped:
                assert self._watcher is not None, "used outside of `async with`"
                await asyncio.wait({waiting, self._watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await asyncio.wait({waiting}, timeout=grace)
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})


async def _wait(tasks: list[asyncio.Task[None]], limit: float | None) -> None:
    await asyncio.wait(tasks, timeout=limit)


def _finish(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
