"""Query parameters: the types that they are decoded into, and the decoding."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from schedule_zero.execution_log import MAX_LIMIT, Outcome
from schedule_zero.refusals import InvalidRequest
from schedule_zero.requests import Id
from schedule_zero.unreadable import Page

T = TypeVar("T")
#: The largest whole number that a store can hold.
MOST = 2**63 - 1
Limit = Annotated[int, Meta(ge=0, le=MAX_LIMIT, description="How many to answer at most.")]
PageCursor = Annotated[
    str, Meta(max_length=1000, description="The `next_cursor` of the answer before: go on from there.")
]
HandlerId = Annotated[Id, Meta(description="Only those of this handler.")]
ScheduleId = Annotated[Id, Meta(description="Only those of this schedule.")]
Moment = Annotated[
    str,
    Meta(
        description="Only those that ended at this instant or later; UTC unless it has an offset.",
        extra_json_schema={"format": "date-time"},
        max_length=64,
    ),
]


class HealthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strict the answer is to be."""

    ready: Annotated[bool, Meta(description="Answer 503 unless every part works.")] = False


class FailuresQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much to answer, from where on."""

    limit: Limit = 100
    cursor: PageCursor | None = None


class SchedulesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which schedules, from where on."""

    handler_id: HandlerId | None = None
    limit: Limit = MAX_LIMIT
    cursor: PageCursor | None = None


class JobsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the jobs that have not ended, from where on."""

    state: Annotated[Literal["pending", "running"], Meta(description="Only those in this state.")] | None = None
    handler_id: HandlerId | None = None
    limit: Limit = 100
    cursor: PageCursor | None = None


class ExecutionsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which executions, in which order, from where on."""

    handler_id: HandlerId | None = None
    schedule_id: ScheduleId | None = None
    outcome: Annotated[Outcome, Meta(description="Only those that ended so.")] | None = None
    since: Moment | None = None
    order: Annotated[Literal["oldest", "newest"], Meta(description="Which come first.")] = "oldest"
    limit: Limit = 100
    offset: Annotated[int, Meta(ge=0, le=10**12, description="How many to pass over; a cursor is cheaper.")] = 0
    cursor: PageCursor | None = None


def decode_query(arguments: Mapping[str, Sequence[bytes]], kind: type[T]) -> T:
    """The query arguments of a request as `kind`.

    Raises `InvalidRequest` by the argument's name for one that is unknown, wrong, or there twice.

    >>> decode_query({"limit": [b"5"]}, FailuresQuery).limit
    5
    """
    values: dict[str, str] = {}
    for name, given in arguments.items():
        if len(given) != 1:
            raise InvalidRequest(name[:80], f"expected once, found {len(given)} times")
        try:
            values[name] = given[0].decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest(name[:80], "expected UTF-8") from None
    try:
        decoded = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _named(error) from None
    for name in values:
        # Taken leniently, the word null is nothing at all, even where only certain words are expected.
        if getattr(decoded, name) is None:
            raise InvalidRequest(name, f"expected a value, found {values[name][:40]!r}")
    return decoded


def _named(error: msgspec.ValidationError) -> InvalidRequest:
    detail, _, place = str(error).partition(" - at ")
    field = place.strip("`").removeprefix("$").removeprefix(".")
    if not field and "unknown field" in detail:
        field = detail.split("`")[1]
        detail = "unknown parameter"
    return InvalidRequest(field, detail)


def instant_of(text: str, field: str) -> datetime:
    """The instant that a query argument names; raises `InvalidRequest` for `field`."""
    try:
        # A plus sign that was not escaped arrives as a space.
        parsed = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(field, f"expected an ISO 8601 date and time, found {text[:40]!r}") from None


def cursor_text(place: Any) -> str:
    """A place in a list as text that means nothing to clients."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii")


def next_cursor(page: Page[Any, Any]) -> str | None:
    """What leads from a page to the next one; None at the end of the list."""
    return None if page.place is None else cursor_text(page.place)


def cursor_of(text: str, kind: type[T]) -> T:
    """The place that `cursor_text` wrote; raises `InvalidRequest`."""
    try:
        place = base64.b64decode(text, altchars=b"-_", validate=True)
        if b"\\u0000" in place:
            raise ValueError("not every store can be asked for a NUL")
        return msgspec.json.decode(place, type=kind)
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidRequest("cursor", "expected the next_cursor of an earlier answer") from None
