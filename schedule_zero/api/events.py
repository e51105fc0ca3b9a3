"""GET /api/events: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
from tornado.iostream import StreamClosedError

from schedule_zero.api.base import ApiHandler
from schedule_zero.api.event_stream import Passage, Reader
from schedule_zero.api.examples import EVENTS
from schedule_zero.api.operations import Returns, operation
from schedule_zero.security.http_hook import guard_of, is_still_admitted
from schedule_zero.security.scopes import Scope

__all__ = ["EVENT_STREAM", "EventsHandler"]

EVENT_STREAM = "text/event-stream"
#: Seconds without an event after which a comment is sent: a connection that nobody uses is cut off on the way.
HEARTBEAT = 15.0
#: Seconds for which a reader may take nothing at all.
STALL = 60.0
#: Seconds between two looks at whether the reader's token still counts.
ADMITTED = 1.0
#: Milliseconds that a client is told to wait before it connects again.
RETRY_MS = 1000


class EventsHandler(ApiHandler):
    """The stream of events."""

    timed = False

    def initialize(self, route: str = "") -> None:
        """Begin without a reader."""
        super().initialize(route)
        self._reader: Reader | None = None
        self._look_at = 0.0

    @operation(
        tag="events",
        summary="What happens, as it happens (server-sent events)",
        resumed=True,
        answers={200: Returns(about="The stream; it does not end.", media=EVENT_STREAM, example=EVENTS)},
    )
    async def get(self) -> None:
        """Send `job.added`, `job.started`, `job.finished`, `schedule.added`, `schedule.updated`,
        `schedule.removed` and `handler.changed`, each with an id and one line of JSON, from now on or, with
        Last-Event-ID, from there on. The data of an event are a ServiceEvent.

        First comes `hello`, whose id stands for now. A reader that is too slow, or was away for too long, gets
        `lost` with how many it has missed (null: nobody knows), and should look at everything anew. A comment comes
        every 15 s when nothing happens. The stream ends within about a second when the token or session that it was
        opened with counts no more. 503 when too many read already.
        """
        self._reader = self.context.stream.open(self.request.headers.get("Last-Event-ID"))
        try:
            self._greet()
            await self._flushed()
            while (passage := await self._next(self._reader)) is not None:
                self._put(passage)
                await self._flushed()
        except (StreamClosedError, TimeoutError):
            self._hang_up()
        finally:
            self._reader.close()

    async def head(self, *_: str) -> None:
        """Answer the headers of a stream, and no stream."""
        self._begin()
        self.finish()

    def on_connection_close(self) -> None:
        """The reader has gone."""
        if self._reader is not None:
            self._reader.close()

    def _begin(self) -> None:
        self._declared(200)
        self.set_header("Content-Type", EVENT_STREAM)
        # Proxies that collect what they pass on would hold events back.
        self.set_header("X-Accel-Buffering", "no")

    def _greet(self) -> None:
        self._begin()
        stream = self.context.stream
        hello = msgspec.json.encode({"deployment": self.service.config.deployment, "run": stream.run}).decode()
        self.write(f"retry: {RETRY_MS}\n\n")
        # One that resumes keeps its own place until it has caught up.
        mark = "" if "Last-Event-ID" in self.request.headers else f"id: {stream.last_id}\n"
        self.write(f"{mark}event: hello\ndata: {hello}\n\n")

    async def _next(self, reader: Reader) -> Passage | None:
        """What comes next, an empty passage after `HEARTBEAT` seconds; None at the end, also that of the admission."""
        clock = asyncio.get_running_loop().time
        needed = self.operation.scope if self.operation is not None else Scope.READ
        asks = guard_of(self.context).asks
        silent = clock() + HEARTBEAT
        while True:
            passage = await reader.next(min(ADMITTED, silent - clock()) if asks else HEARTBEAT)
            if asks and clock() >= self._look_at:
                self._look_at = clock() + ADMITTED
                if not is_still_admitted(self, needed):
                    return None
            if passage != Passage(()) or not asks or clock() >= silent:
                return passage

    def _put(self, passage: Passage) -> None:
        if passage.lost != 0:
            lost = "null" if passage.lost is None else passage.lost
            self.write(f'event: lost\ndata: {{"lost": {lost}}}\n\n')
        for event in passage.events:
            self.write(event)
        if not passage.events:
            self.write(": still here\n\n")

    async def _flushed(self) -> None:
        """Wait until it is sent; raises TimeoutError for a reader that takes nothing, StreamClosedError for none."""
        sending = asyncio.ensure_future(self.flush())
        assert self._reader is not None
        over = asyncio.ensure_future(self._reader.over())
        try:
            await asyncio.wait({sending, over}, timeout=STALL, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise TimeoutError
            sending.result()
        finally:
            over.cancel()

    def _hang_up(self) -> None:
        # Nothing more can be said to it: what is unsent goes with the connection.
        cast("Any", self.request.connection).stream.close()
