"""The jobs of a scheduler that keeps no file, as it tells them itself over its API.

With ``store: memory`` there is nothing to read after the stop, so the executions are fetched, page by page,
while the scheduler lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from harness.agent.digest import digest
from harness.history.records import Job, Status
from harness.targets.schedule_zero.api import ApiClient

PAGE = 500
"""Executions a request."""
TIMEOUT = 5.0
"""Seconds one request may take."""


class MemoryJobs:
    """Follows one scheduler from its start: what was `accepted`, and what it says of it.

    Each look fetches only what has ended since the one before, so it may be called several times a second.
    """

    def __init__(self, api: ApiClient, to_scenario: Callable[[float], float]) -> None:
        self._api, self._to_scenario = api, to_scenario
        self._accepted: dict[str, None] = {}
        self._finished: dict[str, dict[str, Any]] = {}
        self._cursor: str | None = None

    def accepted(self, job_id: str) -> None:
        """The scheduler answered that it has taken this job."""
        self._accepted[job_id] = None

    async def look(self, base: str) -> bool:
        """Fetch what has ended; whether it answered."""
        while True:
            query = urlencode({"limit": PAGE, **({"cursor": self._cursor} if self._cursor else {})})
            answer = await self._api.request("GET", f"{base}/api/executions?{query}", timeout=TIMEOUT)
            if answer.status is not Status.OK:
                return False
            for execution in answer.body["executions"]:
                self._finished[execution["job_id"]] = execution
            following = answer.body["next_cursor"]
            if following is None:
                return True
            self._cursor = following

    async def backlog(self, base: str) -> int | None:
        """How many accepted jobs have not ended, those of schedules that run now included; None when it does
        not answer.
        """
        if not await self.look(base):
            return None
        answer = await self._api.request("GET", f"{base}/api/health", timeout=TIMEOUT)
        if not isinstance(answer.body, dict):
            return None
        return max(len(self._pending()), int(answer.body.get("running_jobs", 0)))

    async def records(self, base: str) -> list[Job]:
        """Every job that it knows: those that ended, and those accepted ones that wait or run."""
        await self.look(base)
        found = [self._job(execution) for execution in self._finished.values()]
        for job_id in self._pending():
            answer = await self._api.request("GET", f"{base}/api/jobs/{job_id}", timeout=TIMEOUT)
            if answer.status is Status.OK:
                found.append(self._job(answer.body))
        return found

    def _pending(self) -> list[str]:
        return [job_id for job_id in self._accepted if job_id not in self._finished]

    def _job(self, told: dict[str, Any]) -> Job:
        started, ended = self._when(told.get("started_at")), self._when(told.get("ended_at"))
        at = (
            ended
            if ended is not None
            else started
            if started is not None
            else self._to_scenario(time.monotonic())
        )
        return Job(
            at=at,
            job_id=told["job_id"],
            handler=told["handler_id"],
            method=told["method"],
            schedule_id=told.get("schedule_id") or "",
            scheduled_for=self._when(told.get("scheduled_for")),
            started=started,
            ended=ended,
            attempts=len(told.get("attempts") or ()),
            outcome=told.get("outcome") or "",
            error=told.get("error") or "",
            result="" if told.get("result") is None else digest(told["result"]),
        )

    def _when(self, text: str | None) -> float | None:
        if text is None:
            return None
        return self._to_scenario(datetime.fromisoformat(text).timestamp() + time.monotonic() - time.time())
