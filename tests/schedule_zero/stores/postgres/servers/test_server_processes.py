"""Servers in processes of their own: one that is killed, and some whose clocks are wrong."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from schedule_zero.execution_log import Filters, Outcome

pytestmark = pytest.mark.integration

Within = Callable[..., None]


def test_the_jobs_of_a_killed_server_are_taken_over_after_the_lease(
    cluster: Any, server_process: Callable[..., Any], within: Within
) -> None:
    """After kill -9 another server calls the job again under its id, when the lease has run out and not before."""

    async def scene() -> None:
        lease = 1.5
        other = server_process("other", lease=lease)
        async with cluster.server("b", lease=lease) as b, cluster.handler(await other.address()):
            await cluster.until(lambda: b._store.elsewhere("h"), "the other server's handler")
            job = await b.run_now(cluster.request("wait", value="x"))
            await cluster.until(lambda: cluster.count["x"] == 1, "the call by the server that has the handler")
            other.kill()
            killed = asyncio.get_running_loop().time()
            async with cluster.handler(b):
                await cluster.until(lambda: cluster.count["x"] == 2, "the second call")
                took = asyncio.get_running_loop().time() - killed
                # The lease was renewed within its first half.
                assert lease / 2 - 0.2 <= took <= lease + 2.5
                cluster.gate.set()
                assert (await cluster.done(b, job)).outcome is Outcome.SUCCESS
                assert (await b.execution_stats())["total"] == 1

    within(scene, 40.0)


def test_a_handler_of_several_servers_does_the_work_once(
    cluster: Any, server_process: Callable[..., Any], within: Within
) -> None:
    """One handler, registered with both servers: the call that is repeated by the survivor joins the first one."""

    async def scene() -> None:
        other = server_process("other")
        address = await other.address()
        async with cluster.server("b") as b, cluster.handler(f"{address}, {b.registration_address}"):
            await cluster.until(lambda: cluster.connected(b) == ["h"], "the registration with both")
            jobs = [await b.run_now(cluster.request("wait", value=n)) for n in range(8)]
            await cluster.until(lambda: cluster.count.total() >= 4, "as many calls as the handler takes")
            other.kill()
            await asyncio.sleep(2.0)  # the lease runs out
            cluster.gate.set()
            for job in jobs:
                assert (await cluster.done(b, job)).outcome is Outcome.SUCCESS
            assert cluster.count == Counter(range(8))
            assert (await b.execution_stats())["total"] == 8

    within(scene, 40.0)


def test_a_server_that_stands_still_holds_up_nobody(
    cluster: Any, server_process: Callable[..., Any], within: Within
) -> None:
    """While one process is stopped (SIGSTOP), whatever it had acquired, the other fires every fire time; it returns."""

    async def scene() -> None:
        other = server_process("other")
        async with cluster.server("b", "h") as b, cluster.handler(await other.address()):
            await b.add_schedule(cluster.every(0.1))
            await cluster.until(lambda: cluster.count["s"] >= 10, "ten firings")
            other.process.send_signal(signal.SIGSTOP)
            before = cluster.count["s"]
            # If it stands still in the midst of a transaction, its locks are taken from it after five seconds.
            await cluster.until(lambda: cluster.count["s"] >= before + 15, "fifteen more")
            other.process.send_signal(signal.SIGCONT)
            await b.remove("s")
            await cluster.until(lambda: idle(b), "all outcomes")
            records = await b.executions(Filters(schedule_id="s"), limit=1000)
            times = sorted(record.scheduled_for for record in records if record.scheduled_for is not None)
            assert len(times) == len(set(times))
            assert {round((after - before).total_seconds(), 2) for before, after in pairwise(times)} == {0.1}

    within(scene, 40.0)


@pytest.mark.parametrize("ahead", [5.0, pytest.param(-5.0, marks=pytest.mark.thorough)])
def test_a_wrong_clock_does_no_harm(
    ahead: float, cluster: Any, server_process: Callable[..., Any], within: Within
) -> None:
    """With one server's clock five seconds off, each fire time fires once, on time by the database's clock."""

    async def scene() -> None:
        wrong = server_process("wrong", lease=2.0, ahead=ahead)
        async with cluster.server("right", "h", lease=2.0) as right, cluster.handler(await wrong.address()):
            await right.add_schedule(cluster.every(0.1, misfire_grace_time=2.0))
            await cluster.until(lambda: cluster.count["s"] >= 20, "twenty firings")
            await right.remove("s")
            await cluster.until(lambda: idle(right), "all outcomes")
            records = await right.executions(Filters(schedule_id="s"), limit=1000)
            assert {record.outcome for record in records} == {Outcome.SUCCESS}
            times = sorted(record.scheduled_for for record in records if record.scheduled_for is not None)
            assert len(times) == len(set(times)) == cluster.count["s"]
            assert {round((after - before).total_seconds(), 2) for before, after in pairwise(times)} == {0.1}
            assert times[-1] <= datetime.now(UTC)
            # Both had a part in it: the wrong clock tells whose record it is.
            skews = [(record.started_at - record.scheduled_for).total_seconds() for record in records]
            assert min(skews, key=lambda skew: abs(skew - ahead)) == pytest.approx(ahead, abs=1.0)
            assert min(skews, key=abs) == pytest.approx(0.0, abs=1.0)

    within(scene, 40.0)


async def idle(service: Any) -> bool:
    """Whether no job waits or runs anywhere."""
    jobs = (await service.jobs()).items
    return not jobs
