"""A call on its way out of a client: what is sent, under which id, and until when its answer is waited for."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any

import msgspec

from schedule_zero import wire

__all__ = ["Call", "Calls"]


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
        data = wire.encode_request(method, params, request_id)
        return Call(method, request_id, data, limit, deadline, auto_reconnect, generation)
