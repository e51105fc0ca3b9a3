"""A server that brings and does a certain amount of work, and strikes itself down at one point of it.

It says how many points it has passed when all is done. Started again, without a blow, it goes on where it was: what it
is not sure to have brought it brings again, under the same idempotency keys.

Run: python struck_server.py URL PORT BEGIN AT LEDGER
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schedule_zero import barriers
from schedule_zero.database import Database
from schedule_zero.refusals import NotFound
from schedule_zero.requests import NewSchedule, RunNow
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import RetrySettings, ServiceConfig

JOBS, FIRES, EVERY = 4, 5, 0.2
"""Jobs that are asked for, fire times of the schedule, and the seconds between two of them."""
BARRIERS = (
    "registration.request",
    "executor.attempt",
    "client.before_send",
    "client.after_send",
    "executor.before_record",
    "executor.after_record",
)


class Points:
    """Counts the points that are passed, in whatever thread, and ends the process at number `at`."""

    def __init__(self, at: int) -> None:
        self._numbers = itertools.count(1)
        self._at = at
        self.passed = 0

    def __call__(self, *_: Any, **__: Any) -> None:
        """Pass one."""
        self.passed = next(self._numbers)
        if self.passed == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class Struck(Database):
    """A database with a point before each transaction, after each piece of its work, and after its commit."""

    point: Points

    def _run_batch(self, connection: Any, works: list[Any]) -> list[Any]:
        def then_a_point(work: Any) -> Any:
            def both(c: Any) -> Any:
                result = work(c)
                self.point()
                return result

            return both

        self.point()
        done = super()._run_batch(connection, [then_a_point(work) for work in works])
        self.point()
        return done


def arm(service: SchedulerService, points: Points) -> None:
    """Set the points in a service that has not been started."""
    for name in BARRIERS:
        barriers.listen(name, points)
    if isinstance(service.storage, Database):
        service.storage.__class__ = Struck
        service.storage.point = points  # type: ignore[attr-defined]
        return
    from schedule_zero.postgres_session import PostgresSession

    for name in ("begin", "execute", "executemany", "commit"):
        setattr(PostgresSession, name, _pointed(getattr(PostgresSession, name), points))


def _pointed(method: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def between_points(self: Any, *given: Any) -> Any:
        points()
        result = method(self, *given)
        points()
        return result

    return between_points


async def bring(service: SchedulerService, begin: datetime, ledger: Path) -> None:
    """Ask for the work, and note in the ledger what was accepted."""
    last = begin + timedelta(seconds=EVERY * (FIRES - 1))
    trigger = {"type": "interval", "seconds": EVERY, "start_time": begin.isoformat(), "end_time": last.isoformat()}
    ticks = NewSchedule(
        handler_id="h", job_method="work", job_params={"value": "s"}, job_id="s", trigger=trigger,
        coalesce="all", misfire_grace_time=None,
    )  # fmt: skip
    with ledger.open("a") as book:
        for n in range(JOBS):
            if n == JOBS // 2:
                book.write(f"s {await service.add_schedule(ticks, idempotency_key='s')}\n")
                book.flush()
            request = RunNow(handler_id="h", job_method="work", job_params={"value": f"job{n}"})
            book.write(f"job{n} {await service.run_now(request, idempotency_key=f'job{n}')}\n")
            book.flush()


async def over(service: SchedulerService) -> bool:
    """Whether the schedule has fired for the last time, and nothing waits or runs."""
    try:
        if (await service.schedule("s")).next_fire_time is not None:
            return False
    except NotFound:
        pass  # finished, and cleared away
    return not (await service.jobs()).items


async def work(url: str, port: int, begin: datetime, at: int, ledger: Path) -> int:
    """Do everything; returns how many points there were."""
    retry = RetrySettings(attempts=8, base=0.05, factor=1.0, jitter=0.0)
    settings: dict[str, Any] = {"server_id": "a"} if url.startswith("postgres") else {}
    service = SchedulerService(
        ServiceConfig(store=url, zmq_port=port, call_timeout=5.0, stop_timeout=1.0, retry=retry, **settings)
    )
    points = Points(at)
    arm(service, points)
    async with asyncio.timeout(60.0), service:
        while not service.handlers():
            await asyncio.sleep(0.02)
        await bring(service, begin, ledger)
        while not await over(service):
            await asyncio.sleep(0.05)
        return points.passed


def main(url: str, port: str, begin: str, at: str, ledger: str) -> None:
    """Work, and say how many points were passed."""
    passed = asyncio.run(work(url, int(port), datetime.fromisoformat(begin), int(at), Path(ledger)))
    sys.stdout.write(f"{passed}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
