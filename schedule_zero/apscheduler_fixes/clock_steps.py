"""A clock that is set forward, or a machine that slept, makes every schedule late (agronholm/apscheduler#794).

APScheduler sleeps until its next fire time by the monotonic clock. What the wall clock jumps meanwhile, because it was
set, or because the machine was suspended (when the monotonic clock stands still), is added to every lateness.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

EVERY: Final = 1.0
"""Seconds between two looks at the clocks."""
STEP: Final = 0.1
"""Seconds by which they must have parted: more than drift, and than two readings lie apart."""


async def watch_clocks(stepped: Callable[[float], Awaitable[None]], *, every: float = EVERY) -> None:
    """Call `stepped` with the seconds by which the wall clock has left the monotonic clock, whenever it did; no end."""
    before = _apart()
    while True:
        await asyncio.sleep(every)
        now = _apart()
        if abs(now - before) > STEP:
            try:
                await stepped(now - before)
            except Exception:
                logging.getLogger(__name__).exception("nobody was told that the clock was set; that is tried again")
                continue
        before = now


def _apart() -> float:
    return time.time() - time.monotonic()
