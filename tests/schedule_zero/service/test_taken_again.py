"""Jobs whose server died, or was stopped, in the midst of their call: what the next one tells of the first."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.execution_log import BROKEN_OFF, Filters, Outcome
from schedule_zero.metrics import Metrics

pytestmark = pytest.mark.integration


def as_killed(store: Path, copy: Path) -> str:
    """The URL of what a server leaves that is killed at this moment."""
    with sqlite3.connect(store) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    return f"sqlite:///{copy}"


def told(record: Any) -> list[tuple[str | None, str | None, bool]]:
    """The attempts of a record."""
    return [(attempt.error, attempt.incarnation, attempt.maybe_again) for attempt in record.attempts]


async def record_of(service: Any, job_id: str) -> Any:
    """The job's record."""
    return next(record for record in await service.executions(Filters()) if record.job_id == job_id)


@asynccontextmanager
async def amid_a_call(kit: Any, folder: Path, **handler: Any) -> AsyncIterator[tuple[Any, Any, str]]:
    """A service on a.db, its handler, and the id of the job whose call, with the value 0, that has under way."""
    async with kit.serving(store=f"sqlite:///{folder}/a.db") as service, kit.handling(service, **handler) as worker:
        await kit.registered(service, "h")
        job_id = await service.run_now(kit.request("wait", value=0))
        await kit.until(lambda: worker.count[0] == 1, "the call")
        yield service, worker, job_id


def test_after_a_kill_in_the_midst_of_a_call_another_handler_may_have_done_it_again(kit: Any, tmp_path: Path) -> None:
    """The call that nobody saw the end of is an attempt; where the next one runs in another start, it is marked."""

    async def scene() -> None:
        async with amid_a_call(kit, tmp_path) as (_, before, job_id):
            left = as_killed(tmp_path / "a.db", tmp_path / "b.db")
            async with kit.serving(store=left) as second, kit.handling(second) as after:
                after.gate.set()
                await kit.done(second, job_id)
                record = await record_of(second, job_id)
                assert (record.outcome, after.count[0]) == (Outcome.SUCCESS, 1)
                assert told(record) == [
                    (BROKEN_OFF, before.incarnation, False),
                    (None, after.incarnation, True),
                ]
                assert [(attempt.number, attempt.broken_off) for attempt in record.attempts] == [(1, True), (2, False)]
                assert record.started_at == record.attempts[0].started_at
                metrics = Metrics()
                metrics.executed(record)
                assert metrics.jobs_maybe_twice == 1

    kit.run(scene)


def test_after_a_kill_the_same_handler_answers_from_its_memory(kit: Any, tmp_path: Path) -> None:
    """It has the call of the dead server under way: there are two attempts, and the work was done once."""

    async def scene() -> None:
        async with amid_a_call(kit, tmp_path) as (_, worker, job_id):
            left = as_killed(tmp_path / "a.db", tmp_path / "b.db")
            async with kit.serving(store=left) as second:
                registry = second._registry
                registry.register("h", worker.address, worker.methods, incarnation=worker.incarnation)
                await kit.until(lambda: worker.stats.joined == 1, "the second server's call")
                worker.gate.set()
                await kit.done(second, job_id)
                record = await record_of(second, job_id)
                assert told(record) == [
                    (BROKEN_OFF, worker.incarnation, False),
                    (None, worker.incarnation, False),
                ]
                assert (record.outcome, worker.count[0]) == (Outcome.SUCCESS, 1)

    kit.run(scene)


def test_after_a_kill_what_waited_for_its_turn_has_not_been_called(kit: Any, tmp_path: Path) -> None:
    """Of six jobs at a handler that runs one call at a time one was called: that one may have been done twice."""

    async def scene() -> None:
        async with amid_a_call(kit, tmp_path, concurrency=1) as (first, _, called):
            waiting = [await first.run_now(kit.request("wait", value=n)) for n in range(1, 6)]
            await kit.until(lambda: {called, *waiting} <= set(first._executor.running), "all six to be taken")
            left = as_killed(tmp_path / "a.db", tmp_path / "b.db")
            async with kit.serving(store=left) as second, kit.handling(second) as after:
                after.gate.set()
                metrics = Metrics()
                for job_id in waiting:
                    await kit.done(second, job_id)
                    record = await record_of(second, job_id)
                    assert told(record) == [(None, None, False)]
                    metrics.executed(record)
                await kit.done(second, called)
                metrics.executed(await record_of(second, called))
                assert metrics.jobs_maybe_twice == 1

    kit.run(scene)


def test_after_a_kill_a_call_that_had_waited_for_its_turn_is_told(kit: Any, tmp_path: Path) -> None:
    """When its turn had come, and it was made: that it was about to be is written down before."""

    async def scene() -> None:
        async with amid_a_call(kit, tmp_path, concurrency=1) as (first, before, one):
            other = await first.run_now(kit.request("wait", value=1))
            await kit.until(lambda: other in first._executor.running, "the job that waits")
            before.let_go.add(0)
            await kit.done(first, one)
            await kit.until(lambda: before.count[1] == 1, "its call")
            left = as_killed(tmp_path / "a.db", tmp_path / "b.db")
            async with kit.serving(store=left) as second, kit.handling(second) as after:
                after.gate.set()
                await kit.done(second, other)
                record = await record_of(second, other)
                assert told(record) == [(BROKEN_OFF, before.incarnation, False), (None, after.incarnation, True)]

    kit.run(scene)


def test_a_stop_in_the_midst_of_a_call_is_told_as_well(kit: Any, tmp_path: Path) -> None:
    """The call of a server that was stopped while its handler was busy, and of a handler that ended with it."""

    async def scene() -> None:
        store = f"sqlite:///{tmp_path}/a.db"
        async with kit.serving(store=store, stop_timeout=0.05) as first, kit.handling(first) as before:
            await kit.registered(first, "h")
            job_id = await first.run_now(kit.request("wait", value=1))
            await kit.until(lambda: before.count[1] == 1, "the call")
            await first.stop()
        async with kit.serving(store=store) as second, kit.handling(second) as after:
            after.gate.set()
            await kit.done(second, job_id)
            record = await record_of(second, job_id)
            assert told(record) == [(BROKEN_OFF, before.incarnation, False), (None, after.incarnation, True)]

    kit.run(scene)


@pytest.mark.parametrize("once", [False, True])
def test_what_had_not_begun_is_begun_once(kit: Any, tmp_path: Path, once: bool) -> None:
    """A job that waited for its handler, or for its turn, when the server stopped has one attempt, and no mark."""

    async def scene() -> None:
        store = f"sqlite:///{tmp_path}/a.db"
        async with kit.serving(store=store) as first, kit.handling(first, "h", concurrency=1) as busy:
            async with kit.handling(first, "gone"):
                await kit.registered(first, "h", "gone")
            await kit.until(lambda: first.handler("gone").status == "Disconnected", "the farewell")
            await first.run_now(kit.request("wait", value=1))
            await kit.until(lambda: busy.count[1] == 1, "the call that keeps the others waiting")
            turn = await first.run_now(kit.request(value=2, at_most_once=once))
            away = await first.run_now(kit.request(handler="gone", value=3, at_most_once=once))
            await kit.until(lambda: {turn, away} <= set(first._executor.running), "the jobs that wait")
            await first.stop()
        async with (
            kit.serving(store=store) as second,
            kit.handling(second, "h") as one,
            kit.handling(second, "gone") as other,
        ):
            one.gate.set()
            for job_id in (turn, away):
                await kit.done(second, job_id)
                record = await record_of(second, job_id)
                assert (record.outcome, told(record)) == (Outcome.SUCCESS, [(None, None, False)])
            assert (one.count[2], other.count[3]) == (1, 1)

    kit.run(scene)


def test_a_call_to_a_handler_that_came_after_the_job_was_taken_is_told_as_well(kit: Any, tmp_path: Path) -> None:
    """The taking knew no handler; so that a call is about to be made is written down before it is."""

    async def scene() -> None:
        async with kit.serving(store=f"sqlite:///{tmp_path}/a.db") as first:
            async with kit.handling(first):
                await kit.registered(first, "h")
            await kit.until(lambda: first.handler("h").status == "Disconnected", "the farewell")
            job_id = await first.run_now(kit.request("wait", value=1))
            await kit.until(lambda: job_id in first._executor.running, "the job that waits")
            async with kit.handling(first) as before:
                await kit.until(lambda: before.count[1] == 1, "the call")
                left = as_killed(tmp_path / "a.db", tmp_path / "b.db")
                async with kit.serving(store=left) as second, kit.handling(second) as after:
                    after.gate.set()
                    await kit.done(second, job_id)
                    record = await record_of(second, job_id)
                    assert told(record) == [(BROKEN_OFF, before.incarnation, False), (None, after.incarnation, True)]
                before.gate.set()
                await kit.done(first, job_id)
                assert told(await record_of(first, job_id)) == [(None, None, False)]

    kit.run(scene)
