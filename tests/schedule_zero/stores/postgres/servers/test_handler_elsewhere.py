"""A handler that is registered with one server alone, and schedules that fire at another: the job goes where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from schedule_zero.errors import UnknownHandler
from schedule_zero.execution_log import ExecutionRecord, Filters, Outcome
from schedule_zero.requests import JobState, NewSchedule
from schedule_zero.service import SchedulerService

pytestmark = pytest.mark.integration

Within = Callable[..., None]
FOR_NOBODY = NewSchedule(handler_id="nobody", job_method="work", trigger={"type": "interval", "seconds": 1})


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's word that a handler is with it holds for a shorter time, and others wait less for it."""
    monkeypatch.setattr("schedule_zero.postgres_store.PRESENT", 2.0)
    monkeypatch.setattr("schedule_zero.postgres_store.GRACE", 0.5)


async def fires_nothing(*_: Any) -> list[Any]:
    """No schedule is ever acquired by this server: in the place of its `acquire_schedules`."""
    await asyncio.sleep(0.01)
    return []


async def records(service: SchedulerService, schedule: str) -> list[ExecutionRecord]:
    """The executions of a schedule, by the times they were for."""
    found = await service.executions(Filters(schedule_id=schedule), limit=1000)
    return sorted(found, key=lambda record: record.scheduled_for.timestamp() if record.scheduled_for else 0.0)


def sees(cluster: Any, service: SchedulerService) -> Any:
    """Wait until the server knows that the handler is connected to another one."""
    return cluster.until(lambda: service._store.elsewhere("h"), "the handler of the other server")


def test_what_fires_at_a_server_without_the_handler_runs_where_the_handler_is(
    cluster: Any, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added to and fired by the one server, called by the other: each fire time once, on time, with one outcome."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b") as b:
            monkeypatch.setattr(a._store, "acquire_schedules", fires_nothing)
            await sees(cluster, b)
            await b.add_schedule(cluster.every(0.2, misfire_grace_time=5.0))
            await cluster.until(lambda: cluster.count["s"] >= 8, "eight firings")
            await b.remove("s")
            await cluster.until(lambda: idle(b), "all outcomes")
            done = await records(b, "s")
            assert {record.outcome for record in done} == {Outcome.SUCCESS}
            times = [record.scheduled_for for record in done if record.scheduled_for is not None]
            assert len(times) == cluster.count["s"]
            assert {round((after - before).total_seconds(), 2) for before, after in pairwise(times)} == {0.2}
            # It is A that called, and told so: B has no connection to the handler.
            assert cluster.connected(b) == []
            lates = [(record.started_at - record.scheduled_for).total_seconds() for record in done]  # type: ignore[operator]
            assert sorted(lates)[len(lates) // 2] < 0.5

    within(scene)


def test_a_job_waits_for_its_handler_while_that_ones_server_is_restarted(cluster: Any, within: Within) -> None:
    """Accepted by the other one meanwhile, taken up by it after a while, and given back once the handler is there."""

    async def scene() -> None:
        async with cluster.server("b", call_timeout=15.0) as b:
            async with cluster.server("a", "h"):
                await sees(cluster, b)
                await b.add_schedule(cluster.every(3600.0, "later"))  # the store knows the handler from now on
            job = await b.run_now(cluster.request(value="x"))

            async def taken() -> bool:
                return (await b.job(job)).state is JobState.RUNNING

            await cluster.until(taken, "the other server's patience")
            async with cluster.server("a", "h") as a:
                view = await cluster.done(a, job)
                assert (view.outcome, cluster.count["x"]) == (Outcome.SUCCESS, 1)
                assert view.attempts[-1].error is None

    within(scene)


@pytest.mark.thorough
def test_a_job_whose_handler_never_comes_back_has_an_outcome_all_the_same(cluster: Any, within: Within) -> None:
    """It is not lost, and does not wait for ever: after its attempts it is recorded as unreachable, by whom it may."""

    async def scene() -> None:
        async with cluster.server("b", call_timeout=0.3) as b:
            async with cluster.server("a", "h"):
                await sees(cluster, b)
                await b.add_schedule(cluster.every(0.5, "ticks", misfire_grace_time=None))
                await cluster.until(lambda: cluster.count["ticks"] >= 2, "two firings")
            job = await b.run_now(cluster.request(value="x"))
            view = await cluster.done(b, job)
            assert (view.outcome, len(view.attempts)) == (Outcome.UNREACHABLE, 2)
            assert view.error == "handler 'h' stayed disconnected for 0.3 s"

            async def unreachable() -> bool:
                return any(record.outcome is Outcome.UNREACHABLE for record in await records(b, "ticks"))

            await cluster.until(unreachable, "the outcome of a firing without a handler")
            await b.remove("ticks")
            await cluster.until(lambda: idle(b), "all outcomes")
            done = await records(b, "ticks")
            assert {record.outcome for record in done} == {Outcome.SUCCESS, Outcome.UNREACHABLE}
            times = [record.scheduled_for for record in done if record.scheduled_for is not None]
            assert {round((after - before).total_seconds(), 2) for before, after in pairwise(times)} == {0.5}

    within(scene)


def test_a_handler_that_nobody_has_is_refused_by_all(cluster: Any, within: Within) -> None:
    """Before anything is accepted for it, by whichever server is asked."""

    async def scene() -> None:
        async with cluster.server("a", "h"), cluster.server("b") as b:
            await sees(cluster, b)
            with pytest.raises(UnknownHandler, match="no handler 'nobody' has ever registered here"):
                await b.add_schedule(FOR_NOBODY)

    within(scene)


async def idle(service: Any) -> bool:
    """Whether no job waits or runs anywhere."""
    jobs = (await service.jobs()).items
    return not jobs
