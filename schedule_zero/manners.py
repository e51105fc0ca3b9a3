"""Whether a peer repeats request ids in its answers, which decides how many calls it may get at once."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import itertools
from collections.abc import Callable
from typing import Final

import zmq

from schedule_zero import wire
from schedule_zero.dealer_lane import DealerLane, OnFailure, OnMessage

_FIRST_PAUSE: Final = 0.25
_SLOWEST_PAUSE: Final = 5.0
"""Seconds between two questions to a peer that has not shown its manner, growing from the first to the second."""


class Manner(enum.Enum):
    """How a peer answers, as far as it has shown."""

    UNKNOWN = "unknown"
    """Nothing has come yet. One call goes; if a second wants to, a ping on a connection of its own finds out."""
    ECHOES = "echoes"
    """With the request's id: as many calls in flight as are allowed, and a late answer is known as such."""
    ANONYMOUS = "anonymous"
    """Without it: one call at a time, and one that ends without an answer takes its connection along."""


class Probe:
    """Pings until the peer has shown its manner, and tells it to `learn`.

    It does so along a lane of its own (from `open_lane`), so that no answer to it can be taken for that to a call.

    Raises:
        Disconnected: no lane can be opened.
    """

    def __init__(
        self,
        open_lane: Callable[[OnMessage, OnFailure], DealerLane],
        learn: Callable[[Manner], None],
    ) -> None:
        self._learn = learn
        self._answered = asyncio.Event()
        self._lane = open_lane(self._on_message, lambda _, __: self._answered.set())
        self._task = asyncio.create_task(self._ask(), name="manner of a peer")

    def cancel(self) -> None:
        """Stop asking; the manner has shown elsewhere, or is of no interest any more."""
        # The lane at once, not when the task gets its turn: its owner may end the context next.
        self._lane.close()
        self._task.cancel()

    async def wait(self) -> None:
        """Wait until nothing of it is left."""
        await asyncio.wait([self._task])

    def _on_message(self, _: DealerLane, payload: bytes) -> None:
        if not self._answered.is_set():
            self._answered.set()
            self._learn(Manner.ANONYMOUS if wire.find_request_id(payload) is None else Manner.ECHOES)

    async def _ask(self) -> None:
        numbers = itertools.count(1)
        pause = _FIRST_PAUSE
        try:
            while not self._answered.is_set():
                with contextlib.suppress(zmq.Again):
                    self._lane.send(wire.encode_request("ping", None, f"manner-{next(numbers)}"))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._answered.wait()
                pause = min(2 * pause, _SLOWEST_PAUSE)
        finally:
            self._lane.close()
