"""Looks at the handlers as long as somebody reads the event stream: silence is no event, it has to be noticed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from schedule_zero.api.context import ApiContext
from schedule_zero.service_events import EventKind, ServiceEvent

__all__ = ["HandlerWatch"]

#: Seconds between two looks.
_LOOK = 0.5


class HandlerWatch:
    """Tells `handler.changed` when a handler has come, gone, come back, or was forgotten."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, in the running event loop."""
        self._task = asyncio.create_task(self._watch(), name="handler watch")

    def stop(self) -> None:
        """End. Ending twice is harmless."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        stream = self._context.stream
        with suppress(asyncio.CancelledError):
            while True:
                await stream.wanted()
                seen = self._seen()
                while stream.readers:
                    await asyncio.sleep(_LOOK)
                    now = self._seen()
                    self._tell(seen, now)
                    seen = now

    def _seen(self) -> dict[str, tuple[str, int]]:
        handlers = self._context.service.handlers()
        return {handler.id: (handler.status.value, handler.registrations) for handler in handlers}

    def _tell(self, before: dict[str, tuple[str, int]], now: dict[str, tuple[str, int]]) -> None:
        for handler_id in [*now, *(gone for gone in before if gone not in now)]:
            if before.get(handler_id) != now.get(handler_id):
                status = now[handler_id][0] if handler_id in now else None
                self._context.tell(
                    ServiceEvent(
                        kind=EventKind.HANDLER_CHANGED, at=datetime.now(UTC), handler_id=handler_id, status=status
                    )
                )
