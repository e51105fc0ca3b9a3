"""A call on its way out of a client: what is sent, under which id, and until when its answer is waited for."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any

import msgspec

from schedule_zero import wire

__all__ = ["Call", "Calls"]

#: What a caller keeps of its time-out for the word that a call was not begun, to arrive while it still waits: this
#: fraction, and this many seconds at most.
_KEPT, _MOST_KEPT = 0.1, 0.5
#: What telling that takes of the longest message.
_PATIENCE_BYTES = 32


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call. ``data`` is the encoded request, ``limit`` its time-out in seconds, ``deadline`` the moment at which
    that is over, by the monotonic clock. ``generation`` counts how often the client had been closed before."""

    method: str
    request_id: str
    data: bytes
    limit: float
    deadline: float
    auto_reconnect: bool
    generation: int = 0

    def message(self) -> bytes:
        """What is to be sent at this moment: the request, with how long its caller can wait for it to be begun.

        A little less than until the deadline: a handler that has not begun it by then says so in time.
        """
        left = self.deadline - time.monotonic() - min(self.limit * _KEPT, _MOST_KEPT)
        return wire.with_patience(self.data, max(0, int(left * 1000)))


class Calls:
    """Makes the calls of one client, each under an id that no call of any other has.

    >>> calls = Calls()
    >>> first, second = calls.make("work", None, 1000, None), calls.make("work", None, 1000, "mine")
    >>> first.request_id.endswith("-1"), second.request_id, second.limit
    (True, 'mine', 1.0)
    """

    def __init__(self) -> None:
        # A random prefix keeps ids apart between clients and restarts; a counter keeps them cheap.
        self._prefix = uuid.uuid4().hex[:16]
        self._numbers = itertools.count(1)

    def make(
        self,
        method: str,
        params: dict[str, Any] | None,
        timeout: int,
        request_id: str | None,
        auto_reconnect: bool = True,
        generation: int = 0,
    ) -> Call:
        """A call whose `timeout` (milliseconds) begins now. Raises ProtocolError for parameters that are not JSON."""
        limit = timeout / 1000
        deadline = time.monotonic() + limit
        if request_id is None:
            request_id = f"{self._prefix}-{next(self._numbers)}"
        data = wire.encode_request(method, params, request_id, limit=wire.MAX_BYTES - _PATIENCE_BYTES)
        return Call(method, request_id, data, limit, deadline, auto_reconnect, generation)
