"""A wait for the store that has an end."""

from __future__ import annotations

import asyncio
from types import TracebackType

from schedule_zero.database import StoreBusy


class Bounded:
    """``asyncio.timeout`` for store operations: raises `StoreBusy` after `seconds`, saying what that means.

    Example::

        async with Bounded(10.0):
            await store.add_job(job)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise StoreBusy(
                f"the store did not finish the operation within {self._seconds:g} s; it may or may not be done:"
                " ask again with the same idempotency key"
            ) from None
