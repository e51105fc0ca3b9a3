"""What happens at one server is told to the others on the same PostgreSQL store.

APScheduler's `PsycopgEventBroker` (4.0.0a6, read in its source) ends the scheduler on the first lost connection,
because it catches InterfaceError and a lost connection is an OperationalError; it raises SerializationError for a
long event, at whoever caused it; and each event waits for a connection of its own to be sent. Here events reach
this server's own listeners at once, and the others by NOTIFY, as many as wait in one transaction of the store.

A notification can be lost: a server dies between commit and NOTIFY, a connection breaks. So nothing depends on
them but how soon a server looks at the store, which each does every second (`postgres_store`) and whenever its
listening begins again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from contextlib import AsyncExitStack, suppress
from typing import Any, Final
from uuid import uuid4

import psycopg
from apscheduler import Event
from psycopg import sql

from schedule_zero.brokers import LastingBroker
from schedule_zero.dialect import Session
from schedule_zero.event_wire import TOLD, decode, encode
from schedule_zero.postgres import PostgresDatabase
from schedule_zero.store_errors import StoreClosed

__all__ = ["PostgresBroker"]

#: Events kept while the store is away; then the oldest are dropped, and the others told to look for themselves.
_KEPT: Final = 1000
#: Seconds of silence after which the listening connection is tried, and for which an answer is waited for.
_SILENCE: Final = 5.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0


class PostgresBroker(LastingBroker):
    """A broker over all servers that share `database`."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__()
        self._db = database
        self._sender = uuid4().hex
        self._outbox: deque[Event] = deque(maxlen=_KEPT)
        self._lost = False
        self._waiting = asyncio.Event()
        self._listening = asyncio.Event()
        #: How often the listening has begun.
        self.connections = 0
        self.malformed = 0

    async def open(self, stack: AsyncExitStack) -> None:
        """Begin to deliver, tell and listen; ends with `stack`."""
        await super().open(stack)
        tasks = [
            asyncio.create_task(self._listen(), name="store events in"),
            asyncio.create_task(self._tell(), name="store events out"),
        ]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)

        stack.push_async_callback(end)
        # Who comes up hears everything from then on; a store that is in trouble keeps nobody from coming up.
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE):
                await self._listening.wait()

    async def publish(self, event: Event) -> None:
        """Deliver here, and soon at the other servers."""
        await self.publish_local(event)
        if isinstance(event, TOLD):
            self._lost |= len(self._outbox) == _KEPT
            self._outbox.append(event)
            self._waiting.set()

    async def _tell(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            events, whole = list(self._outbox), not self._lost
            self._outbox.clear()
            self._lost = False
            payloads = list(encode(self._sender, events, whole=whole))
            try:
                await self._db.write(lambda c, payloads=payloads: _notify(c, self._db.channel, payloads))  # type: ignore[misc]
            except StoreClosed:
                return
            except Exception:
                logging.getLogger(__name__).exception("events were not told to the other servers; they will look")

    async def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                await self._hear_until_lost()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logging.getLogger(__name__).warning(
                    "no events from the other servers, again in %.2f s at most: %s", pause, str(error).strip()
                )
            if asyncio.get_running_loop().time() - begun > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            # Not all at once, when the database returns to all servers at the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _hear_until_lost(self) -> None:
        async with asyncio.timeout(2 * _SILENCE):
            connection = await psycopg.AsyncConnection.connect(
                self._db.address.conninfo,
                autocommit=True,
                connect_timeout=int(_SILENCE),
                application_name=f"schedule_zero {self._db.identity} events"[:63],
            )
        try:
            async with asyncio.timeout(_SILENCE):
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._db.channel)))
            self.connections += 1
            self._listening.set()
            self.nudge()  # what was told while nobody listened is lost
            while True:
                async for note in connection.notifies(timeout=_SILENCE):
                    await self._heard(note.payload)
                async with asyncio.timeout(_SILENCE):
                    await connection.execute("SELECT 1")
        finally:
            with suppress(psycopg.Error):
                await connection.close()

    async def _heard(self, payload: str) -> None:
        try:
            sender, whole, events = decode(payload)
        except ValueError as error:
            self.malformed += 1
            logging.getLogger(__name__).warning("a notification on %s was ignored: %s", self._db.channel, error)
            return
        if sender == self._sender:
            return
        for event in events:
            await self.publish_local(event)
        if not whole:
            self.nudge()


def _notify(c: Session, channel: str, payloads: list[str]) -> None:
    rows: list[Any] = [(channel, payload) for payload in payloads]
    c.executemany("SELECT pg_notify(?, ?)", rows)
