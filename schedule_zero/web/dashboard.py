"""GET /: how everything is, and what comes next."""

from __future__ import annotations

from schedule_zero.execution_log import Filters
from schedule_zero.handler_registry import HandlerStatus
from schedule_zero.web.page import Page, quiet
from schedule_zero.web.timeline import strip

__all__ = ["Dashboard"]

#: Rows of each list, and executions in the strip.
_ROWS, _LATEST = 8, 60


class Dashboard(Page):
    """Health, handlers, next fire times, running jobs, recent failures."""

    async def get(self) -> None:
        """Answer also while the store does not: then with what is known without it."""
        service = self.service
        health, ahead, running, waiting, failures, latest = await quiet(
            service.health(),
            service.schedules_ahead(_ROWS),
            service.jobs(acquired=True, limit=_ROWS),
            service.waiting_jobs(),
            service.executions_page(Filters(newest=True, failed=True), limit=_ROWS, results=False),
            service.executions_page(Filters(newest=True), limit=_LATEST, results=False),
        )
        handlers = service.handlers()
        upcoming, schedules, paused = ahead or ([], None, 0)
        self.show(
            "dashboard.html",
            health=health,
            handlers=handlers,
            connected=sum(handler.status is HandlerStatus.CONNECTED for handler in handlers),
            upcoming=upcoming,
            schedules=schedules,
            paused=paused,
            running=None if running is None else running.items,
            waiting=waiting,
            failures=None if failures is None else failures.items,
            latest=None if latest is None else latest.items,
            bars=strip([] if latest is None else latest.items),
        )
