"""GET and DELETE /api/executions, GET /api/executions/stats, GET /api/executions/errors."""

from __future__ import annotations

from schedule_zero.api.answers import ExecutionList, ExecutionPage, ExecutionStats, Removed
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import EXECUTION, FAILURE, STATS
from schedule_zero.api.operations import Returns, Scope, operation
from schedule_zero.api.queries import MOST, ExecutionsQuery, LimitQuery, cursor_of, cursor_text, instant_of
from schedule_zero.execution_log import Cursor, ExecutionRecord, Filters
from schedule_zero.refusals import InvalidRequest
from schedule_zero.schema import micros


class ExecutionsHandler(ApiHandler):
    """Finished executions by when they ended."""

    @operation(
        tag="executions",
        summary="Finished executions",
        query=ExecutionsQuery,
        answers={
            200: Returns(
                about="A page of them.",
                kind=ExecutionPage,
                example={"executions": [EXECUTION], "next_cursor": None},
            )
        },
    )
    async def get(self) -> None:
        """Answer executions by when they ended, oldest first unless told. `next_cursor` leads to the next page,
        and is stable while new executions arrive.
        """
        query = self.query(ExecutionsQuery)
        records = await self.service.executions(_filters(query), limit=query.limit, offset=query.offset)
        more = bool(records) and len(records) == query.limit
        self.answer(ExecutionPage(records, record_cursor(records[-1]) if more else None))

    @operation(
        tag="executions",
        summary="Drop all finished executions",
        scope=Scope.ADMIN,
        answers={200: Returns(about="They are gone.", kind=Removed, example={"removed": 3})},
    )
    async def delete(self) -> None:
        """Drop all finished executions from the log; those that go on stay."""
        self.answer(Removed(await self.service.clear_executions()))


class ExecutionStatsHandler(ApiHandler):
    """Counts by outcome and handler."""

    @operation(
        tag="executions",
        summary="Counts of finished executions",
        answers={200: Returns(about="The counts.", kind=ExecutionStats, example=STATS)},
    )
    async def get(self) -> None:
        """Answer how many finished executions the log holds, by outcome, and by handler and outcome."""
        self.answer(await self.service.execution_stats())


class ExecutionErrorsHandler(ApiHandler):
    """The latest executions that did not succeed."""

    @operation(
        tag="executions",
        summary="The latest failures",
        query=LimitQuery,
        answers={
            200: Returns(about="Those that did not succeed.", kind=ExecutionList, example={"executions": [FAILURE]})
        },
    )
    async def get(self) -> None:
        """Answer the latest executions whose outcome is not success, newest first."""
        self.answer(ExecutionList(await self.service.execution_errors(limit=self.query(LimitQuery).limit)))


def _filters(query: ExecutionsQuery) -> Filters:
    return Filters(
        handler_id=query.handler_id,
        schedule_id=query.schedule_id,
        outcome=query.outcome,
        since=None if query.since is None else instant_of(query.since, "since"),
        after=None if query.cursor is None else cursor_of_record(query.cursor),
        newest=query.order == "newest",
    )


def record_cursor(record: ExecutionRecord) -> str:
    """The cursor that goes on after this record."""
    return cursor_text(Cursor(micros(record.ended_at) or 0, record.job_id))


def cursor_of_record(text: str) -> Cursor:
    """The place that `record_cursor` wrote; raises `InvalidRequest`."""
    cursor = cursor_of(text, Cursor)
    if abs(cursor.ended_at) > MOST:
        raise InvalidRequest("cursor", "expected the next_cursor of an earlier answer")
    return cursor
