"""Turns at handlers: no more calls are sent to one than it can run at once.

A call that waited inside its handler would spend its time-out there, and would be given up although the handler is
well, only busy. So calls wait here, where waiting costs them nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

__all__ = ["Turns"]


class Turns:
    """Lets `limit(handler_id)` calls at a time through to each handler, in the order of their arrival.

    Lives in one event loop. The limit is asked for at each turn: a handler may come back with another one.

    Example::

        turns = Turns(lambda handler_id: 4)
        async with turns.turn("h1", timeout=2.0) as mine:
            if mine:
                ...
    """

    def __init__(self, limit: Callable[[str], int]) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, handler_id: str, timeout: float | None = None) -> AsyncIterator[bool]:
        """Wait for a turn, and keep it for the block; false if none came within `timeout` seconds (None: no limit)."""
        mine = await self._wait(handler_id, timeout)
        try:
            yield mine
        finally:
            if mine:
                self._taken[handler_id] -= 1
                self._pass_on(handler_id)

    def waiting(self, handler_id: str) -> int:
        """How many wait for their turn at that handler."""
        return sum(not place.done() for place in self._waiting.get(handler_id, ()))

    def turn_away(self, error: Callable[[], Exception]) -> None:
        """Raise an error in all who wait."""
        for places in self._waiting.values():
            for place in places:
                if not place.done():
                    place.set_exception(error())
        self._waiting.clear()

    async def _wait(self, handler_id: str, timeout: float | None) -> bool:
        if not self.waiting(handler_id) and self._taken[handler_id] < self._limit(handler_id):
            self._taken[handler_id] += 1
            return True
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(handler_id, deque()).append(place)
        self._pass_on(handler_id)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await asyncio.shield(place)
        except BaseException:
            self._leave(handler_id, place)
            raise
        if place.done():
            return True
        place.cancel()
        return False

    def _leave(self, handler_id: str, place: asyncio.Future[None]) -> None:
        """Whoever is cancelled may have got a turn in that very moment."""
        if not place.done():
            place.cancel()
        elif not place.cancelled() and place.exception() is None:
            self._taken[handler_id] -= 1
            self._pass_on(handler_id)

    def _pass_on(self, handler_id: str) -> None:
        places = self._waiting.get(handler_id)
        while places and self._taken[handler_id] < self._limit(handler_id):
            place = places.popleft()
            if not place.done():
                self._taken[handler_id] += 1
                place.set_result(None)
        if not places:
            self._waiting.pop(handler_id, None)
