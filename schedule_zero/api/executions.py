"""GET and DELETE /api/executions, GET /api/executions/stats, GET /api/executions/errors."""

from __future__ import annotations

from schedule_zero.api.answers import ExecutionPage, ExecutionStats, Removed
from schedule_zero.api.base import ApiHandler
from schedule_zero.api.examples import EXECUTION, FAILURE, STATS
from schedule_zero.api.operations import Returns, Scope, operation
from schedule_zero.api.queries import MOST, ExecutionsQuery, FailuresQuery, cursor_of, instant_of, next_cursor
from schedule_zero.execution_log import Cursor, ExecutionRecord, Filters
from schedule_zero.refusals import InvalidRequest
from schedule_zero.unreadable import Page


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
        and is stable while new executions arrive. With large results a page ends before `limit`: when it has 4 MiB.
        """
        query = self.query(ExecutionsQuery)
        self.answer(
            _shown(await self.service.executions_page(_filters(query), limit=query.limit, offset=query.offset))
        )

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
        query=FailuresQuery,
        answers={
            200: Returns(
                about="Those that did not succeed.",
                kind=ExecutionPage,
                example={"executions": [FAILURE], "next_cursor": None},
            )
        },
    )
    async def get(self) -> None:
        """Answer the latest executions whose outcome is not success, newest first. With long errors a page ends before
        `limit`: when it has 4 MiB.
        """
        query = self.query(FailuresQuery)
        after = None if query.cursor is None else cursor_of_record(query.cursor)
        wanted = Filters(failed=True, newest=True, after=after)
        self.answer(_shown(await self.service.executions_page(wanted, limit=query.limit)))


def _shown(page: Page[ExecutionRecord, Cursor]) -> ExecutionPage:
    return ExecutionPage(page.items, next_cursor(page))


def _filters(query: ExecutionsQuery) -> Filters:
    return Filters(
        handler_id=query.handler_id,
        schedule_id=query.schedule_id,
        outcome=query.outcome,
        since=None if query.since is None else instant_of(query.since, "since"),
        after=None if query.cursor is None else cursor_of_record(query.cursor),
        newest=query.order == "newest",
    )


def cursor_of_record(text: str) -> Cursor:
    """The place in the log that `cursor_text` wrote; raises `InvalidRequest`."""
    cursor = cursor_of(text, Cursor)
    if abs(cursor.ended_at) > MOST:
        raise InvalidRequest("cursor", "expected the next_cursor of an earlier answer")
    return cursor
