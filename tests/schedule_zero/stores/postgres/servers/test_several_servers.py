"""Several servers on one PostgreSQL: each fire time once, each job one outcome, and nobody holds up the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from schedule_zero.execution_log import Filters, Outcome
from schedule_zero.refusals import AlreadyExists
from schedule_zero.requests import JobState
from schedule_zero.service import SchedulerService

pytestmark = pytest.mark.integration

Within = Callable[..., None]


async def fire_times(service: SchedulerService, schedule: str = "s") -> list[datetime]:
    """For when the executions of a schedule were meant, in order."""
    records = await service.executions(Filters(schedule_id=schedule), limit=1000)
    return sorted(record.scheduled_for for record in records if record.scheduled_for is not None)


def gaps(times: list[datetime]) -> set[float]:
    """The distances between neighbours, in seconds, to the hundredth."""
    return {round((after - before).total_seconds(), 2) for before, after in pairwise(times)}


def test_each_job_runs_once_whichever_server_took_it(cluster: Any, within: Within) -> None:
    """Forty jobs, accepted by two servers and run by either, are each called once and have one outcome."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h") as b:
            jobs = [await (a if n % 2 else b).run_now(cluster.request(value=n)) for n in range(40)]
            for n, job in enumerate(jobs):
                view = await cluster.done(b if n % 2 else a, job)
                assert view.outcome is Outcome.SUCCESS
            assert cluster.count == Counter(range(40))
            assert (await a.execution_stats())["total"] == 40

    within(scene, 40.0)


def test_a_job_goes_to_the_server_that_its_handler_is_connected_to(cluster: Any, within: Within) -> None:
    """A server without the handler accepts its jobs, and leaves them to the one that has it."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b") as b:
            await cluster.done(a, await a.run_now(cluster.request(value=0)))
            await cluster.until(lambda: b._store.has_task_id("handler:h"), "the other server's task")
            for n in range(1, 6):
                assert (await cluster.done(b, await b.run_now(cluster.request(value=n)))).outcome is Outcome.SUCCESS
            assert cluster.count == Counter(range(6))

    within(scene)


def test_a_schedule_fires_once_per_fire_time(cluster: Any, within: Within) -> None:
    """With three servers on the look-out, no fire time is missed and none fires twice."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h"), cluster.server("c", "h"):
            await a.add_schedule(cluster.every(0.1))
            await cluster.until(lambda: cluster.count["s"] >= 15, "fifteen firings")
            await a.remove("s")
            await cluster.until(idle(a), "all outcomes")
            times = await fire_times(a)
            assert len(times) == len(set(times)) == cluster.count["s"]
            assert gaps(times) == {0.1}

    within(scene)


def idle(service: SchedulerService) -> Callable[[], Any]:
    """Whether no job waits or runs anywhere."""

    async def check() -> bool:
        jobs = (await service.jobs()).items
        return not jobs

    return check


def test_a_limit_holds_over_all_servers(cluster: Any, within: Within) -> None:
    """A handler that takes two calls at once gets two from both servers together."""

    async def scene() -> None:
        async with (
            cluster.server("a", "h", per_handler_jobs=2) as a,
            cluster.server("b", "h", per_handler_jobs=2) as b,
        ):
            jobs = [await (a if n % 2 else b).run_now(cluster.request("wait", value=n)) for n in range(6)]
            await cluster.until(lambda: cluster.count.total() >= 2, "two calls")
            await asyncio.sleep(1.5)  # either server looks at the store at least once more
            assert cluster.count.total() == 2
            running = [view.job_id for view in (await a.jobs(acquired=True)).items]
            assert len(running) == 2
            assert {(await b.job(job)).state for job in running} == {JobState.RUNNING}
            cluster.gate.set()
            for job in jobs:
                assert (await cluster.done(a, job)).outcome is Outcome.SUCCESS

    within(scene)


def test_an_id_is_taken_for_all_servers_and_a_key_stands_for_one_job(cluster: Any, within: Within) -> None:
    """Two servers asked at the same moment for the same thing do it once."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h") as b:
            request = cluster.request(value=1)
            same = await asyncio.gather(*(s.run_now(request, idempotency_key="k") for s in (a, b) * 5))
            assert len(set(same)) == 1
            taken = await asyncio.gather(
                *(s.add_schedule(cluster.every(3600.0)) for s in (a, b)), return_exceptions=True
            )
            assert {type(answer) for answer in taken} == {str, AlreadyExists}
            await cluster.done(b, same[0])
            assert cluster.count[1] == 1

    within(scene)


def test_a_schedule_paused_or_removed_at_one_server_is_so_at_all(cluster: Any, within: Within) -> None:
    """Once the answer is there, no later fire time fires, whichever server was processing it."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h") as b:
            await a.add_schedule(cluster.every(0.05, "p"))
            await a.add_schedule(cluster.every(0.05, "r"))
            await cluster.until(lambda: min(cluster.count["p"], cluster.count["r"]) >= 5, "five firings")
            await b.pause("p")
            await b.remove("r")
            answered = datetime.now(UTC)
            await asyncio.sleep(0.5)
            await cluster.until(idle(a), "all outcomes")
            for name in "pr":
                times = await fire_times(a, name)
                assert times[-1] <= answered
                assert len(times) == len(set(times)) == cluster.count[name]

    within(scene)


def test_what_happens_at_one_server_is_heard_at_the_other(
    cluster: Any, postgres_server: Any, database: str, within: Within
) -> None:
    """Events of jobs and schedules reach the listeners of every server, and somebody else's notification no one."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b") as b:
            heard: list[str] = []
            b._broker.subscribe(lambda event: heard.append(type(event).__name__))
            await a.add_schedule(cluster.every(3600.0))
            await cluster.done(a, await a.run_now(cluster.request(value=1)))
            await a.remove("s")
            wanted = {"TaskAdded", "ScheduleAdded", "JobAdded", "JobAcquired", "JobReleased", "ScheduleRemoved"}
            await cluster.until(lambda: wanted <= set(heard), f"{wanted} among {heard}")
            await asyncio.to_thread(
                postgres_server.execute, "SELECT pg_notify('schedule_zero_events', 'not one of ours')", database
            )
            await cluster.until(lambda: b._broker.malformed == 1, "the notification that was ignored")
            await a.add_schedule(cluster.every(3600.0, "after it"))
            await cluster.until(lambda: heard.count("ScheduleAdded") == 2, "an event after it")
            assert b._broker.malformed == 1

    within(scene)


def test_the_connections_of_one_server_are_broken_and_nobody_dies(
    cluster: Any, postgres_server: Any, database: str, within: Within
) -> None:
    """All sessions of both servers are ended by the database's administrator: every job has its outcome after it."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h") as b:
            await a.add_schedule(cluster.every(0.1))
            jobs = []
            for n in range(40):
                if n % 10 == 5:
                    await asyncio.to_thread(
                        postgres_server.execute,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        f" WHERE datname = '{database}' AND pid <> pg_backend_pid()",
                    )
                jobs.append(await (a if n % 2 else b).run_now(cluster.request(value=n), idempotency_key=f"k{n}"))
            for job in jobs:
                assert (await cluster.done(a, job)).outcome is Outcome.SUCCESS
            await a.remove("s")
            await cluster.until(idle(a), "all outcomes")
            assert {n: cluster.count[n] for n in range(40)} == dict.fromkeys(range(40), 1)
            times = await fire_times(a)
            assert len(times) == len(set(times))
            assert gaps(times) == {0.1}
            assert (a._kept.restarts, b._kept.restarts) == (0, 0)

    within(scene, 40.0)


def test_a_server_that_is_cut_off_holds_up_nobody(
    cluster: Any, wire: Any, postgres_server: Any, database: str, within: Within
) -> None:
    """A silent network: the other server goes on, takes the job over after the lease, and the cut-off one returns.

    The outcome that the first server brings later is refused, so that there is one.
    """

    async def scene() -> None:
        far = postgres_server.url(database, wire.address)
        async with cluster.server("a", "h", url=far) as a:
            job = await a.run_now(cluster.request("wait", value="taken over"))
            await cluster.until(lambda: cluster.count["taken over"] == 1, "the first call")
            async with cluster.server("b", "h") as b:
                wire.silence()
                begun = asyncio.get_running_loop().time()
                await b.add_schedule(cluster.every(0.1))
                await cluster.until(lambda: cluster.count["taken over"] == 2, "the second call")
                assert asyncio.get_running_loop().time() - begun > 0.4  # half of the lease: it was renewed until then
                await cluster.until(lambda: cluster.count["s"] >= 3, "firings at the other server")
                assert (await a.health()).parts["store"].ok is False
                wire.restore()
                cluster.gate.set()
                assert (await cluster.done(b, job)).outcome is Outcome.SUCCESS

                async def well() -> bool:
                    return bool((await a.health()).status == "ok")

                await cluster.until(well, "the health of the server that was cut off")
                assert (await cluster.done(a, job)).outcome is Outcome.SUCCESS
                await b.remove("s")
                times = await fire_times(b)
                assert len(times) == len(set(times))
                assert gaps(times) == {0.1}

    within(scene, 40.0)


def test_the_database_crashes_and_returns(cluster: Any, postgres_server: Any, within: Within) -> None:
    """While PostgreSQL is away health says so and nothing is accepted in vain; afterwards all goes on."""

    async def scene() -> None:
        async with cluster.server("a", "h") as a, cluster.server("b", "h") as b:
            before = await a.run_now(cluster.request("wait", value="before"))
            await cluster.until(lambda: cluster.count["before"] == 1, "the first call")
            await a.add_schedule(cluster.every(0.2))
            await asyncio.to_thread(postgres_server.stop)
            asked = asyncio.create_task(b.run_now(cluster.request(value="during"), idempotency_key="k"))
            cluster.gate.set()

            async def told() -> bool:
                return not (await a.health()).parts["store"].ok and not (await b.health()).parts["store"].ok

            await cluster.until(told, "the trouble in both servers' health")
            await asyncio.to_thread(postgres_server.start)
            during = await asked
            for job in (before, during):
                assert (await cluster.done(a, job)).outcome is Outcome.SUCCESS
            await cluster.until(lambda: cluster.count["s"] >= 5, "firings")
            await a.remove("s")
            await cluster.until(idle(b), "all outcomes")
            assert cluster.count["during"] == 1
            times = await fire_times(a)
            assert len(times) == len(set(times))
            assert gaps(times) == {0.2}
            assert [(await s.health()).status for s in (a, b)] == ["ok", "ok"]

    within(scene, 40.0)
