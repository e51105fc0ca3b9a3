"""Word of what one server did never reaches the others: they find out by themselves, and in time.

Whoever brings the work is gone before it is due, so that only a server that heard nothing of it can do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schedule_zero.execution_log import Filters, Outcome
from schedule_zero.postgres_store import WATCH
from schedule_zero.requests import NewSchedule
from schedule_zero.service import SchedulerService

pytestmark = pytest.mark.integration

Within = Callable[..., None]
#: Seconds that a busy machine may add to what a server takes.
SLACK = 1.0
#: Seconds from when the work is brought to when it is due: in this time every server has looked.
NOTICE = WATCH + SLACK + 0.5


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every notification of any server is lost; gives what was."""
    lost: list[str] = []
    monkeypatch.setattr("schedule_zero.postgres_broker._notify", lambda c, channel, payloads: lost.extend(payloads))
    yield lost
    assert lost, "nothing was told at all, so this proves nothing"


def once(name: str, seconds: float, **fields: Any) -> NewSchedule:
    """A schedule that fires once, so many seconds from now."""
    values = {"job_params": {"value": name}, "trigger": due_in(seconds), "misfire_grace_time": None, **fields}
    return NewSchedule(handler_id="h", job_method="work", job_id=name, **values)


def due_in(seconds: float) -> dict[str, Any]:
    """A trigger that fires once, so many seconds from now."""
    return {"type": "date", "run_date": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


async def lateness(cluster: Any, service: SchedulerService, name: str) -> float:
    """Seconds from when the schedule was due to when its job was begun, once that has its outcome."""
    await cluster.until(lambda: cluster.count[name] == 1, f"the firing of {name}")

    async def record() -> Any:
        found = await service.executions(Filters(schedule_id=name))
        return found[0] if found else None

    done = await cluster.until(record, f"the outcome of {name}")
    assert done.outcome is Outcome.SUCCESS
    return float((done.started_at - done.scheduled_for).total_seconds())


@pytest.mark.parametrize(
    "how", ["added", "rescheduled", *(pytest.param(how, marks=pytest.mark.thorough) for how in ("resumed", "replaced"))]
)
def test_an_earlier_schedule_fires_in_time_although_nobody_heard_of_it(
    cluster: Any, silence: list[str], within: Within, how: str
) -> None:
    """A server sleeps until a fire time far ahead; another brings an earlier one, loses its word, and is gone."""

    async def bring(b: SchedulerService) -> None:
        if how == "added":
            await b.add_schedule(once("s", NOTICE))
        elif how == "rescheduled":
            await b.reschedule("s", due_in(NOTICE))
        elif how == "resumed":
            await b.resume("s")
        else:
            await b.add_schedule(once("s", NOTICE, conflict_policy="replace"))

    async def scene() -> None:
        async with cluster.server("a", "h") as a:
            await a.add_schedule(once("far", 3600.0))
            if how in ("rescheduled", "replaced"):
                await a.add_schedule(once("s", 3600.0))
            elif how == "resumed":
                await a.add_schedule(once("s", NOTICE + 1.0, paused=True))
            async with cluster.server("b") as b:
                await bring(b)
            assert await lateness(cluster, a, "s") < SLACK

    within(scene)


def test_work_that_is_due_at_once_waits_for_one_look_at_most(cluster: Any, silence: list[str], within: Within) -> None:
    """A job, and a schedule due in a moment, brought by a server that does nothing itself: within a second or so."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b") as b:
            await a.add_schedule(once("far", 3600.0))
            await cluster.until(lambda: b._store.elsewhere("h"), "the other server's handler")
            b._store.draining = True  # as a server that is cut off from the store by now
            begun = asyncio.get_running_loop().time()
            job = await b.run_now(cluster.request(value="job"))
            await b.add_schedule(once("s", 0.1))
            await cluster.done(a, job)
            assert asyncio.get_running_loop().time() - begun < WATCH + SLACK
            assert await lateness(cluster, a, "s") < WATCH + SLACK

    within(scene)


@pytest.mark.thorough
def test_a_server_whose_listening_is_broken_fires_in_time(
    cluster: Any, postgres_server: Any, database: str, within: Within
) -> None:
    """The connection on which one server listens is ended again and again: it looks instead of hearing."""
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database}' AND application_name LIKE '%@a events'"
    )

    async def scene() -> None:
        async with cluster.server("a", "h") as a:
            await a.add_schedule(once("far", 3600.0))
            async with cluster.server("b") as b:
                assert await asyncio.to_thread(postgres_server.execute, end, database) != []
                await b.add_schedule(once("s", NOTICE))
            breaking = asyncio.create_task(keep_breaking(postgres_server, end, database))
            assert await lateness(cluster, a, "s") < SLACK
            breaking.cancel()

    within(scene)


async def keep_breaking(postgres_server: Any, statement: str, database: str) -> None:
    """Run the statement over and over."""
    while True:
        await asyncio.to_thread(postgres_server.execute, statement, database)
        await asyncio.sleep(0.02)
