"""GET and DELETE /api/executions, GET /api/executions/stats, GET /api/executions/errors."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import msgspec

from schedule_zero.api.base import ApiHandler
from schedule_zero.execution_log import MAX_LIMIT, Cursor, ExecutionRecord, Filters, Outcome
from schedule_zero.refusals import InvalidRequest
from schedule_zero.schema import micros

_MOST_OFFSET = 10**12


class ExecutionsHandler(ApiHandler):
    """Finished executions by (ended_at, job_id), oldest first; with ``order=newest`` the latest first."""

    async def get(self) -> None:
        """Answer a page; ``next_cursor`` leads to the next one and is stable while new executions arrive."""
        limit = self.whole("limit", 100, MAX_LIMIT)
        records = await self.service.executions(
            self._filters(), limit=limit, offset=self.whole("offset", 0, _MOST_OFFSET)
        )
        cursor = _cursor_text(records[-1]) if records and len(records) == limit else None
        self.answer({"executions": records, "next_cursor": cursor})

    async def delete(self) -> None:
        """Drop all finished executions."""
        self.answer({"removed": await self.service.clear_executions()})

    def _filters(self) -> Filters:
        outcome = self.get_query_argument("outcome", None)
        since = self.get_query_argument("since", None)
        cursor = self.get_query_argument("cursor", None)
        return Filters(
            handler_id=self.get_query_argument("handler_id", None),
            schedule_id=self.get_query_argument("schedule_id", None),
            outcome=None if outcome is None else _outcome(outcome),
            since=None if since is None else _instant(since),
            after=None if cursor is None else _cursor(cursor),
            newest=_newest(self.get_query_argument("order", "oldest")),
        )


class ExecutionStatsHandler(ApiHandler):
    """Counts by outcome and handler."""

    async def get(self) -> None:
        """Answer the counts."""
        self.answer(await self.service.execution_stats())


class ExecutionErrorsHandler(ApiHandler):
    """The latest executions that did not succeed."""

    async def get(self) -> None:
        """Answer them, newest first."""
        self.answer(
            {"executions": await self.service.execution_errors(limit=self.whole("limit", 100, MAX_LIMIT))}
        )


def _newest(text: str) -> bool:
    if text not in ("oldest", "newest"):
        raise InvalidRequest("order", f"expected oldest or newest, found {text[:40]!r}")
    return text == "newest"


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        names = ", ".join(outcome.value for outcome in Outcome)
        raise InvalidRequest("outcome", f"expected one of {names}, found {text[:40]!r}") from None


def _instant(text: str) -> datetime:
    try:
        # A plus sign that was not escaped arrives as a space.
        parsed = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidRequest("since", f"expected an ISO 8601 date and time, found {text[:40]!r}") from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def _cursor_text(record: ExecutionRecord) -> str:
    place = Cursor(micros(record.ended_at) or 0, record.job_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _cursor(text: str) -> Cursor:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Cursor)
    except ValueError:
        raise InvalidRequest("cursor", "expected the next_cursor of an earlier answer") from None
