"""Errors as problem details (RFC 9457): which status an error gets, and what the client is told of it."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import HTTPError

from schedule_zero.api.event_stream import TooManyReaders
from schedule_zero.errors import StoreUnusable, UnknownHandler
from schedule_zero.governor_link import GovernorSilent, NotGoverned
from schedule_zero.patterns import in_words
from schedule_zero.refusals import (
    AlreadyExists,
    IdempotencyConflict,
    InvalidRequest,
    JobUnderWay,
    NotFound,
    Stopping,
)

CONTENT_TYPE = "application/problem+json"
#: Seconds after which a client is told to try again.
RETRY_AFTER = 5
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Invalid value",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporarily unavailable",
}
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidRequest, 422),
    (msgspec.ValidationError, 422),
    (msgspec.DecodeError, 400),
    (RecursionError, 400),
    (UnknownHandler, 404),
    (NotFound, 404),
    (AlreadyExists, 409),
    (IdempotencyConflict, 409),
    (JobUnderWay, 409),
    (NotGoverned, 409),
    (StoreUnusable, 503),
    (Stopping, 503),
    (TooManyReaders, 503),
    (GovernorSilent, 503),
)


class WrongField(msgspec.Struct, frozen=True):
    """What is wrong with one field; `field` is its place in the body (``retry.attempts``), or a parameter's name,
    and empty for the whole body.
    """

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457); `errors` names the fields that are wrong."""

    title: str
    status: int
    detail: str = ""
    errors: tuple[WrongField, ...] = ()
    type: str = "about:blank"


def problem_of(error: BaseException | None, status: int) -> Problem:
    """The problem for an error; `status` is what Tornado would answer. Of the unforeseen nothing but that is
    told.
    """
    for kind, known in _STATUSES:
        if isinstance(error, kind):
            return _problem(known, _detail(error), _fields(error))
    if isinstance(error, HTTPError):
        return _problem(error.status_code, (error.log_message or "").replace("%%", "%"))
    return _problem(status, "an unforeseen error; the server's log has the details" if status == 500 else "")


def is_foreseen(error: BaseException | None) -> bool:
    """Whether an error is the client's or the weather's: told, but not logged with a traceback."""
    return isinstance(error, (HTTPError, *(kind for kind, _ in _STATUSES)))


def _problem(status: int, detail: str, errors: tuple[WrongField, ...] = ()) -> Problem:
    return Problem(TITLES.get(status, "Error"), status, detail, errors)


def _detail(error: Any) -> str:
    if isinstance(error, RecursionError):
        return "the body is nested too deeply"
    return in_words(str(error))


def _fields(error: Any) -> tuple[WrongField, ...]:
    if isinstance(error, InvalidRequest) and error.field:
        return (WrongField(error.field, error.reason),)
    if isinstance(error, msgspec.ValidationError):
        # "Expected `str`, got `int` - at `$.handler_id`"; the place is left out for the whole body.
        detail, _, place = in_words(str(error)).partition(" - at ")
        field = place.strip("`").removeprefix("$").removeprefix(".")
        if not field and "`" in detail:
            field = detail.split("`")[1] if "field" in detail else ""
        return (WrongField(field, detail),)
    return ()
