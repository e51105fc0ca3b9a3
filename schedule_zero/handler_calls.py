"""A handler's memory of its calls, by which a repeated request id never runs twice."""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections import OrderedDict
from typing import Final, NamedTuple

_MAX_WAITERS: Final = 64
"""How many askers one running call keeps; the oldest ones have long timed out."""


class Claim(enum.Enum):
    """What is to be done with a request."""

    RUN = "run"
    """It is new: run it."""
    JOINED = "joined"
    """The same request is running; its answer will go to this asker as well."""
    ANSWERED = "answered"
    """It has run; here is its answer."""
    REUSED = "reused"
    """Its id belongs to a call of another method."""


class Decision(NamedTuple):
    """A claim with its call's number (for RUN) or its answer (for ANSWERED)."""

    claim: Claim
    number: int = 0
    answer: bytes = b""


@dataclasses.dataclass(slots=True)
class _Call:
    number: int
    method: str
    request_id: str | None
    waiters: list[list[bytes]]
    size: int
    answer: bytes | None = None


class CallMemory:
    """Which calls run, and what the last ones answered; used by one thread only.

    Remembers at most `limit` answers of at most `max_bytes` bytes together, the oldest going first. Calls
    without a request id are known while they run and forgotten with their answer.

    Example:
        >>> memory = CallMemory(limit=10)
        >>> number = memory.claim("r-1", "echo", [b"asker"]).number
        >>> memory.finish(number, b"answer")
        [[b'asker']]
        >>> memory.claim("r-1", "echo", [b"the same, by another connection"]).answer
        b'answer'
    """

    def __init__(self, limit: int = 4096, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self._running_bytes = 0
        self._numbers = itertools.count(1)
        self._running: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()

    @property
    def running(self) -> int:
        """How many calls have no answer yet, whether they run or wait for a worker."""
        return len(self._running)

    @property
    def running_bytes(self) -> int:
        """The size of the requests of those calls."""
        return self._running_bytes

    @property
    def remembered(self) -> int:
        """How many answers are kept."""
        return len(self._answered)

    def claim(self, request_id: str | None, method: str, route: list[bytes], size: int = 0) -> Decision:
        """Decide what to do with a request of `size` bytes that came along `route`."""
        known = self._by_id.get(request_id) if request_id is not None else None
        if known is None:
            return Decision(Claim.RUN, self._begin(request_id, method, route, size))
        if known.method != method:
            return Decision(Claim.REUSED)
        if known.answer is not None:
            return Decision(Claim.ANSWERED, known.number, known.answer)
        known.waiters.append(route)
        del known.waiters[:-_MAX_WAITERS]
        return Decision(Claim.JOINED, known.number)

    def finish(self, number: int, answer: bytes) -> list[list[bytes]]:
        """Note a call's answer; returns the routes of all who wait for it."""
        call = self._done(number)
        if call is None:
            return []
        if call.request_id is not None:
            call.answer = answer
            self._answered[call.request_id] = None
            self._bytes += len(answer)
            self._forget_oldest()
        waiters, call.waiters = call.waiters, []
        return waiters

    def withdraw(self, number: int) -> list[list[bytes]]:
        """Forget a call that did not run after all; returns the routes of all who wait for it."""
        call = self._done(number)
        if call is None:
            return []
        if call.request_id is not None:
            del self._by_id[call.request_id]
        return call.waiters

    def request_id(self, number: int) -> str | None:
        """The request id of a running call."""
        call = self._running.get(number)
        return call.request_id if call is not None else None

    def _begin(self, request_id: str | None, method: str, route: list[bytes], size: int) -> int:
        call = _Call(next(self._numbers), method, request_id, [route], size)
        self._running[call.number] = call
        self._running_bytes += size
        if request_id is not None:
            self._by_id[request_id] = call
        return call.number

    def _done(self, number: int) -> _Call | None:
        call = self._running.pop(number, None)
        if call is not None:
            self._running_bytes -= call.size
        return call

    def _forget_oldest(self) -> None:
        while len(self._answered) > self._limit or self._bytes > self._max_bytes:
            request_id, _ = self._answered.popitem(last=False)
            self._bytes -= len(self._by_id.pop(request_id).answer or b"")
