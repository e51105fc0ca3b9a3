"""The event stream of a server as its readers have it: event by event, over lost connections."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from schedule_zero.api_client import ApiClient, ServerUnreachable
from schedule_zero.errors import RemoteError

__all__ = ["StreamEvent", "follow_events", "read_events"]

_FIRST_PAUSE, _SLOWEST_PAUSE = 0.1, 2.0  # seconds before a connection is tried again, growing from one to the other


class StreamEvent(NamedTuple):
    """One event: its kind (``job.finished``), its data, and its id, empty where it has none."""

    kind: str
    data: dict[str, Any]
    id: str


def read_events(lines: Iterable[bytes]) -> Iterator[StreamEvent]:
    """The events in the lines of a stream (server-sent events); comments and what is incomplete are left out.

    >>> list(read_events([b": hello", b"event: lost", b'data: {"lost": 3}', b""]))
    [StreamEvent(kind='lost', data={'lost': 3}, id='')]
    """
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield StreamEvent(fields.get("event", "message"), json.loads(fields["data"]), fields.get("id", ""))
            fields = {}


def follow_events(api: ApiClient, patience: float = 30.0) -> Iterator[StreamEvent]:
    """Every event from now on, without end: a connection that breaks is resumed where it was.

    Raises ServerUnreachable when there has been no connection for `patience` seconds (at once where there never
    was one), RemoteError when the server refuses.
    """
    last, pause = "", _FIRST_PAUSE
    lost_at: float | None = None
    while True:
        try:
            resume = {"Last-Event-ID": last} if last else {}
            with api.open("GET", "/api/events", headers={"Accept": "text/event-stream", **resume}) as answer:
                pause = _FIRST_PAUSE
                lost_at = math.inf  # not lost
                for event in read_events(answer):
                    last = event.id or last
                    yield event
            why = "it ended"
        except (OSError, ValueError, http.client.HTTPException, ServerUnreachable, RemoteError) as error:
            if lost_at is None or (isinstance(error, RemoteError) and error.code != "503"):
                raise
            why = str(error)
        lost_at = min(lost_at, time.monotonic())
        if time.monotonic() - lost_at >= patience:
            raise ServerUnreachable(f"the event stream of {api.base_url} broke off: {why}")
        time.sleep(pause)
        pause = min(2 * pause, _SLOWEST_PAUSE)
