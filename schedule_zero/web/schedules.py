"""The pages of schedules that are there: all of them, one of them, and what can be done to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from schedule_zero.api.queries import cursor_of, next_cursor
from schedule_zero.execution_log import Filters
from schedule_zero.refusals import InvalidRequest
from schedule_zero.web.page import Page, link, quiet

__all__ = ["PausePage", "RemovePage", "ResumePage", "RunPage", "SchedulePage", "SchedulesPage"]

_ROWS = 50


class SchedulesPage(Page):
    """All schedules by id."""

    async def get(self) -> None:
        """Answer a page of them, of one handler if it is named."""
        handler_id, cursor = self.get_query_argument("handler", "", strip=False), self.get_query_argument("cursor", "")
        page = await self.service.schedules_page(
            handler_id=handler_id or None, after=cursor_of(cursor, str) if cursor else "", limit=_ROWS
        )
        place = next_cursor(page)
        more = None if place is None else link("/schedules", handler=handler_id, cursor=place)
        self.show(
            "schedules.html",
            schedules=page.items,
            unreadable=page.wrong,
            more=more,
            first=not cursor,
            handler_id=handler_id,
            handlers=self.service.handlers(),
        )


class SchedulePage(Page):
    """One schedule."""

    async def get(self) -> None:
        """Answer it with its latest executions."""
        schedule_id = self.get_query_argument("id", strip=False)
        schedule = await self.service.schedule(schedule_id)
        wanted = Filters(schedule_id=schedule_id, newest=True)
        [latest] = await quiet(self.service.executions_page(wanted, limit=10, results=False))
        params = msgspec.json.format(msgspec.json.encode(schedule.job_params)).decode()
        self.show("schedule.html", schedule=schedule, latest=None if latest is None else latest.items, params=params)


class _Doing(Page):
    """A form with the id of a schedule that something is done to."""

    done = ""

    @property
    def schedule_id(self) -> str:
        """The schedule that the form names."""
        return self.get_body_argument("id", strip=False)

    async def act(self, do: Callable[[str], Awaitable[Any]]) -> None:
        """Do it, and go back to where the form stood."""
        schedule_id = self.schedule_id
        await do(schedule_id)
        if self.get_body_argument("from", "") == "schedule":
            self.go("/schedule", id=schedule_id, done=self.done, done_id=schedule_id)
        else:
            self.go("/schedules", done=self.done, done_id=schedule_id)


class PausePage(_Doing):
    """POST /schedules/pause."""

    done = "paused"

    async def post(self) -> None:
        """Pause it."""
        await self.act(self.service.pause)


class ResumePage(_Doing):
    """POST /schedules/resume."""

    done = "resumed"

    async def post(self) -> None:
        """Resume it."""
        await self.act(self.service.resume)


class RunPage(_Doing):
    """POST /schedules/run."""

    async def post(self) -> None:
        """Run it once, now; the form sent twice runs it once."""
        once = self.get_body_argument("once")
        if not 0 < len(once) <= 100:
            raise InvalidRequest("once", "expected 1 to 100 characters")
        schedule_id = self.schedule_id
        job_id = await self.service.run_schedule(schedule_id, idempotency_key=f"page {once} {schedule_id}")
        self.go("/job", id=job_id, done="accepted")


class RemovePage(_Doing):
    """GET and POST /schedules/remove."""

    async def get(self) -> None:
        """Ask whether it is meant."""
        self.show("remove.html", schedule=await self.service.schedule(self.get_query_argument("id", strip=False)))

    async def post(self) -> None:
        """Remove it."""
        await self.service.remove(self.schedule_id)
        self.go("/schedules", done="removed", done_id=self.schedule_id)
