"""An end to closing what waits while it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from schedule_zero.call_threads import CallThreads

__all__ = ["close_in_thread"]


async def close_in_thread(name: str, close: Callable[[], object], timeout: float) -> None:
    """Call `close`, which waits, in a thread of that name, and wait for it for `timeout` seconds at most.

    The thread is a daemon: what does not end in time does not keep the process.
    """
    closer = CallThreads(name, 1)
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await closer.run(close)
    closer.close()
