"""What both clients have in common: their counts, what they make of an answer."""

from __future__ import annotations

import dataclasses
from typing import Any

from schedule_zero.errors import HandlerUnavailable, RemoteError
from schedule_zero.wire import ErrorCode, Reply


@dataclasses.dataclass(slots=True)
class ClientStats:
    """What one client has been through. Every field is a count that only grows."""

    calls: int = 0
    timeouts: int = 0
    efsm_recoveries: int = 0
    """A send or receive that the socket refused, cured by a new socket and one more try."""
    recreated: int = 0
    """Sockets that took the place of another, for whatever reason."""
    stray_replies: int = 0
    """Answers that belonged to another request and were dropped."""
    protocol_errors: int = 0


def result_of(method: str, reply: Reply) -> Any:
    """The result in an answer to `method`.

    Raises:
        HandlerUnavailable: the handler did not take the call; it did not run.
        RemoteError: the handler answered with an error.
    """
    if reply.success:
        return reply.result
    message = reply.error or f"{method} failed and the peer gave no reason"
    if reply.code == ErrorCode.UNAVAILABLE:
        raise HandlerUnavailable(message)
    raise RemoteError(message, code=reply.code or "")
