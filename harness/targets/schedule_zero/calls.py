"""Which request the current thread of a handler works on, and what it was given and answered."""

from __future__ import annotations

import threading
from typing import Any

from harness.agent import boot
from harness.agent.digest import digest


class Current(threading.local):
    """The request under way in one thread; empty outside of any, and in a process without an agent."""

    handler_id = ""
    request_id = ""


def current() -> Current:
    """The request of this thread, as `begin` last set it."""
    agent = boot.current()
    return Current() if agent is None else agent.plug_in(__name__, Current)


def begin(handler_id: str, request_id: str) -> None:
    """This thread begins to work on a request."""
    mine = current()
    mine.handler_id, mine.request_id = handler_id, request_id


def tell(params: Any, result: Any = None) -> None:
    """Report what the call of this thread was given and, where it answers, what it answers."""
    agent = boot.current()
    if agent is None:
        return
    mine = current()
    told = "" if result is None else digest(result)
    agent.journal.write(
        "call", handler=mine.handler_id, request_id=mine.request_id, params=digest(params), result=told
    )
