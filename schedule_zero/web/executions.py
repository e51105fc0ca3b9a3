"""The pages of executions: what was run and what came of it, and one job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from schedule_zero.api.executions import cursor_of_record
from schedule_zero.api.queries import cursor_text
from schedule_zero.execution_log import Filters, Outcome
from schedule_zero.refusals import InvalidRequest
from schedule_zero.web.page import Page, link
from schedule_zero.web.timeline import timeline

__all__ = ["ExecutionsPage", "JobPage"]

_ROWS = 50
#: What `since` may say, in words and seconds.
_SINCE = {"hour": ("the last hour", 3600), "day": ("the last day", 86400), "week": ("the last week", 7 * 86400)}


class ExecutionsPage(Page):
    """Finished executions, newest first."""

    async def get(self) -> None:
        """Answer a page of those that are wanted."""
        names = ("handler", "schedule", "outcome", "since")
        asked = {name: self.get_query_argument(name, "", strip=False) for name in names}
        cursor = self.get_query_argument("cursor", "")
        page = await self.service.executions_page(_filters(asked, cursor), limit=_ROWS, results=False)
        older = None if page.place is None else link("/executions", **asked, cursor=cursor_text(page.place))
        self.show(
            "executions.html",
            records=page.items,
            asked=asked,
            first=not cursor,
            filtered=any(asked.values()),
            newest=link("/executions", **asked),
            more=older,
            timeline=timeline(page.items),
            since=[(value, words) for value, (words, _) in _SINCE.items()],
            handlers=self.service.handlers(),
        )


class JobPage(Page):
    """One job."""

    async def get(self) -> None:
        """Answer where it stands, with every attempt."""
        job = await self.service.job(self.get_query_argument("id"))
        result = None if job.result is None else msgspec.json.format(msgspec.json.encode(job.result)).decode()
        self.show("job.html", job=job, result=result)


def _filters(asked: dict[str, str], cursor: str) -> Filters:
    since = asked["since"]
    if since and since not in _SINCE:
        raise InvalidRequest("since", f"expected one of {', '.join(_SINCE)}")
    if asked["outcome"] and asked["outcome"] not in {which.value for which in Outcome}:
        raise InvalidRequest("outcome", f"expected one of {', '.join(which.value for which in Outcome)}")
    return Filters(
        handler_id=asked["handler"] or None,
        schedule_id=asked["schedule"] or None,
        outcome=Outcome(asked["outcome"]) if asked["outcome"] else None,
        since=datetime.now(UTC) - timedelta(seconds=_SINCE[since][1]) if since else None,
        after=cursor_of_record(cursor) if cursor else None,
        newest=True,
    )
