"""Events of the scheduler as text for the other servers on a store.

JSON, and no names but those of the events below: what arrives can make a server look at its store and show a line
in an event stream, nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

import msgspec
from apscheduler import (
    Event,
    JobAcquired,
    JobAdded,
    JobReleased,
    ScheduleAdded,
    ScheduleRemoved,
    ScheduleUpdated,
    TaskAdded,
    TaskRemoved,
    TaskUpdated,
)

__all__ = ["LIMIT", "TOLD", "decode", "encode"]

TOLD: Final = (
    *(TaskAdded, TaskUpdated, TaskRemoved, ScheduleAdded, ScheduleUpdated, ScheduleRemoved),
    *(JobAdded, JobAcquired, JobReleased),
)
#: PostgreSQL takes less than 8000 bytes a notification (https://www.postgresql.org/docs/current/sql-notify.html).
LIMIT: Final = 7900
_BY_NAME: Final = {kind.__name__: kind for kind in TOLD}


class Message(msgspec.Struct, array_like=True, frozen=True):
    """One notification: who sent it, and events by name with their fields.

    `whole` is false when something did not fit, or was lost: whoever hears it looks at the store.
    """

    sender: str
    whole: bool
    events: tuple[tuple[str, dict[str, Any]], ...] = ()


def encode(sender: str, events: Iterable[Event], *, whole: bool = True) -> Iterator[str]:
    """As few notifications as hold the events, in their order; an event that is too long for one is left out."""
    pieces: list[str] = []
    size = 0
    head = f"[{msgspec.json.encode(sender).decode()},"
    for event in events:
        piece = msgspec.json.encode((type(event).__name__, _fields(event))).decode()
        length = len(piece.encode()) + 1
        if length + len(head) + 10 > LIMIT:
            whole = False
            continue
        if size + length + len(head) + 10 > LIMIT:
            yield f"{head}true,[{','.join(pieces)}]]"
            pieces, size = [], 0
        pieces.append(piece)
        size += length
    if pieces or not whole:
        yield f"{head}{'true' if whole else 'false'},[{','.join(pieces)}]]"


def decode(payload: str) -> tuple[str, bool, list[Event]]:
    """The sender, whether its events are all there, and the events that can be understood.

    Raises `ValueError` for what is no notification of this package.
    """
    try:
        message = msgspec.json.decode(payload, type=Message)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a notification of schedule_zero: {error}") from error
    events = [event for name, fields in message.events if (event := _event(name, fields)) is not None]
    return message.sender, message.whole and len(events) == len(message.events), events


def _event(name: str, fields: dict[str, Any]) -> Event | None:
    kind = _BY_NAME.get(name)
    if kind is None:
        return None  # from a newer version
    try:
        event: Event = kind.unmarshal(fields)
    except (TypeError, ValueError, KeyError, AttributeError, LookupError):
        return None
    return event


def _fields(event: Event) -> dict[str, Any]:
    return {key: value.name if isinstance(value, Enum) else value for key, value in event.marshal().items()}
