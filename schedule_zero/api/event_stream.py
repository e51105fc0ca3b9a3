"""Events for many readers at once: a bounded memory of the latest, in which each reader has a place of its own.

A reader that is too slow, or was away for too long, finds that the oldest are gone, and is told how many. Nobody
waits for a reader, and memory does not grow with them: they all read the same bytes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from schedule_zero.errors import ScheduleZeroError
from schedule_zero.refusals import Stopping

__all__ = ["EventStream", "Passage", "Reader", "TooManyReaders"]

#: Events that are kept for readers who are slow or come back.
KEPT = 1000
#: Readers at the same time.
MOST_READERS = 100
#: Events that a reader gets at a time, so that one far behind cannot fill the memory with what is to be sent.
MOST_AT_ONCE = 100


class TooManyReaders(ScheduleZeroError):
    """All places for readers of the event stream are taken; one comes free when a reader leaves."""


@dataclass(frozen=True)
class Passage:
    """What a reader gets next: events ready to send, and how many were lost before them (None: nobody knows)."""

    events: tuple[bytes, ...]
    lost: int | None = 0


class _Event:
    """An event, put into words when somebody first reads it: mostly nobody does, and a job should not pay for it."""

    __slots__ = ("_data", "_kind", "_number", "_text")

    def __init__(self, number: int, kind: str, data: Any) -> None:
        self._number = number
        self._kind = kind
        self._data = data
        self._text: bytes | None = None

    def text(self, run: str) -> bytes:
        """What is sent."""
        if self._text is None:
            head = f"id: {run}-{self._number}\nevent: {self._kind}\ndata: ".encode()
            self._text = head + msgspec.json.encode(self._data) + b"\n\n"
            self._data = None
        return self._text


class EventStream:
    """The latest `kept` events, numbered from 1; ids are ``RUN-NUMBER``, where RUN is another one in each process.

    For one event loop.

    Example::

        stream = EventStream()
        reader = stream.open(None)
        stream.publish("job.added", {"job_id": "..."})
        passage = await reader.next(timeout=15.0)
        reader.close()
    """

    def __init__(self, *, kept: int = KEPT, readers: int = MOST_READERS) -> None:
        self.run = uuid.uuid4().hex[:12]
        self.number = 0
        self._most = readers
        self._events: deque[_Event] = deque(maxlen=kept)
        self._readers: dict[int, Reader] = {}
        self._opened = 0
        self._wanted = asyncio.Event()
        self.closed = False

    @property
    def readers(self) -> int:
        """How many are reading."""
        return len(self._readers)

    @property
    def last_id(self) -> str:
        """The id of the latest event, by which a reader can go on from now."""
        return self.id_of(self.number)

    def id_of(self, number: int) -> str:
        """The id of the event with this number."""
        return f"{self.run}-{number}"

    async def wanted(self) -> None:
        """Wait until somebody reads."""
        await self._wanted.wait()

    def publish(self, kind: str, data: Any) -> None:
        """Append an event for all readers; `data` is anything that JSON can say, and is not changed afterwards."""
        if self.closed:
            return
        self.number += 1
        self._events.append(_Event(self.number, kind, data))
        for reader in self._readers.values():
            reader.wake()

    def open(self, last_id: str | None) -> Reader:
        """A reader of what comes after the event `last_id`, or of what comes from now on.

        Raises `TooManyReaders`, and `Stopping` when it has ended. An id that is not of this process's events may
        stand for any number of lost ones: its reader is told so, and gets all that is kept.
        """
        if self.closed:
            raise Stopping("the server is stopping: connect again when it is back")
        if len(self._readers) >= self._most:
            raise TooManyReaders(f"{self._most} readers have the event stream already: try again later")
        place = self.number + 1 if last_id is None else self._place_after(last_id)
        self._opened += 1
        reader = Reader(self, self._opened, place)
        self._readers[self._opened] = reader
        self._wanted.set()
        return reader

    def close(self) -> None:
        """End all readers at once, and take no more events."""
        self.closed = True
        for reader in list(self._readers.values()):
            reader.wake()

    def forget(self, key: int) -> None:
        """Called by a reader that leaves."""
        self._readers.pop(key, None)
        if not self._readers:
            self._wanted.clear()

    def passage(self, place: int | None) -> tuple[Passage, int]:
        """What there is from `place` on (None: all), and the place after it."""
        oldest = self.number - len(self._events) + 1
        begin = oldest if place is None else max(place, oldest)
        skipped = begin - oldest
        end = min(len(self._events), skipped + MOST_AT_ONCE)
        chosen = [self._events[i].text(self.run) for i in range(skipped, end)]
        lost = None if place is None else begin - place
        return Passage(tuple(chosen), lost), begin + len(chosen)

    def _place_after(self, last_id: str) -> int | None:
        run, _, number = last_id.rpartition("-")
        known = run == self.run and number.isascii() and number.isdigit() and len(number) <= 18
        return int(number) + 1 if known and int(number) <= self.number else None


class Reader:
    """One reader's place in an `EventStream`."""

    def __init__(self, stream: EventStream, key: int, place: int | None) -> None:
        self._stream = stream
        self._key = key
        self._place = place
        self._news = asyncio.Event()
        self._end = asyncio.Event()

    def wake(self) -> None:
        """Look again: there is news, or the end."""
        self._news.set()
        if self._stream.closed:
            self._end.set()

    def close(self) -> None:
        """Leave. Leaving twice is harmless."""
        self._end.set()
        self._stream.forget(self._key)
        self.wake()

    @property
    def is_over(self) -> bool:
        """Whether this reader has left, or the stream has ended."""
        return self._end.is_set()

    async def over(self) -> None:
        """Wait for that."""
        await self._end.wait()

    async def next(self, timeout: float) -> Passage | None:
        """What comes next, an empty passage if nothing does within `timeout` seconds, None at the end."""
        if self._place == self._stream.number + 1 and not self.is_over:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                return None if self.is_over else Passage(())
        if self.is_over:
            return None
        passage, self._place = self._stream.passage(self._place)
        return passage
