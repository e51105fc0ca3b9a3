"""`max_jitter` is drawn, and not waited for.

APScheduler 4.0.0a6 puts the random delay into the time that a job is for, adds the job at once, and runs whatever job
is there. Here a job of a later time is left where it is until then, by a condition in the query that acquires jobs, and
told of when its time has come, which is what makes APScheduler look for jobs.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from apscheduler import Job, JobAdded

DUE: Final = "(jitter = 0 OR scheduled_fire <= ?)"
"""The condition on a job; the parameter is the present, in microseconds since 1970."""
LATER: Final = "jitter > 0 AND acquired_by IS NULL"
"""The condition on jobs that may have to be told of."""
_SLACK: Final = timedelta(milliseconds=1)
"""Clocks are read one after the other: a look at a job's very instant might come too early."""


class LateJobs:
    """Tells of each job at its time, by `tell`; all times by this machine's clock.

    Lives in one event loop. Jobs told of while `asleep` returns true are left out.
    """

    def __init__(self, tell: Callable[[JobAdded], Awaitable[None]], asleep: Callable[[], bool]) -> None:
        self._tell, self._asleep = tell, asleep
        self._queue: list[tuple[datetime, int, JobAdded]] = []
        self._known: set[UUID] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._count = 0

    def put(self, jobs: Iterable[Job], ahead: timedelta) -> frozenset[UUID]:
        """Keep those of `jobs` whose time is to come; returns their ids. `ahead` is what to add to their times."""
        now = datetime.now(UTC)
        kept = {}
        for job in jobs:
            due = job.scheduled_fire_time
            if job.jitter and due is not None and due + ahead > now:
                kept[job.id] = (due + ahead, job)
        for due, job in (kept[key] for key in kept if key not in self._known):
            self._count += 1
            event: Any = cast("Any", JobAdded)(job_id=job.id, task_id=job.task_id, schedule_id=job.schedule_id)
            heapq.heappush(self._queue, (due + _SLACK, self._count, event))
            self._known.add(job.id)
        self.look()
        return frozenset(kept)

    def look(self) -> None:
        """Tell of what is due and set the clock for the next; also to be called when clocks were set."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = datetime.now(UTC)
        while self._queue and self._queue[0][0] <= now:
            event = heapq.heappop(self._queue)[2]
            self._known.discard(event.job_id)
            if not self._asleep():
                task = asyncio.ensure_future(self._tell(event))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)
        if self._queue:
            wait = (self._queue[0][0] - now).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(min(wait, 60.0), self.look)
