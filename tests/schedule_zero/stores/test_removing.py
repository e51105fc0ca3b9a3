"""Jobs that are removed, also such as cannot be read: each has one outcome in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler import Job
from msgspec.structs import replace

from schedule_zero.execution_log import Attempt, ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.refusals import JobUnderWay
from schedule_zero.store import JobStore

# A store in memory is SQLite, too.
pytestmark = [pytest.mark.integration, pytest.mark.parametrize("on_store", ["sqlite", "postgres"], indirect=True)]

LEASE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[JobStore, ExecutionLog], Awaitable[None]]
Stores = Callable[[Scene], None]
MakeJob = Callable[..., Job]
Run = Callable[..., Awaitable[None]]


@pytest.mark.parametrize("damage", ["metadata = 'not json'", "id = 'not a uuid'", "job_executor = 'threadpool'"])
def test_an_unreadable_job_can_be_removed(on_store: Stores, damage: str, job: MakeJob, run: Run) -> None:
    """It has one outcome then, as every job: cancelled, with what its row could still tell."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        await store.add_job(job())
        await run(store, f"UPDATE jobs SET {damage}")
        [key] = (await store.page_jobs()).wrong
        removed = await store.remove_job(key)
        kept = await log.get(key)
        assert removed is not None
        assert kept is not None
        assert (kept.job_id, kept.handler_id, kept.outcome) == (key, "h", Outcome.CANCELLED)
        assert (kept.error or "").startswith("removed, as it cannot be read: ")
        assert await store.count_waiting() == 0
        assert store.unreadable.counts() == {}
        assert await store.remove_job(key) is None

    on_store(scene)


def test_a_job_that_runs_is_not_removed(on_store: Stores, job: MakeJob, run: Run) -> None:
    """Here or at another server, as long as its lease lasts; who has died loses it to whoever removes it."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        held = job()
        await store.add_job(held)
        assert len(await store.acquire_jobs("me", LEASE, 9)) == 1
        await run(store, "UPDATE jobs SET acquired_until = 5")
        with pytest.raises(JobUnderWay, match="is running, and ends by itself"):
            await store.remove_job(str(held.id))
        other = job()
        await store.add_job(other)
        await run(store, "UPDATE jobs SET acquired_by = 'you', acquired_until = ? WHERE id = ?", 2**62, str(other.id))
        with pytest.raises(JobUnderWay, match="is running, and ends by itself"):
            await store.remove_job(str(other.id))
        await run(store, "UPDATE jobs SET acquired_until = 5")
        assert await store.remove_job(str(other.id)) is not None

    on_store(scene)


def test_what_the_log_knows_of_a_removed_job_stays(on_store: Stores, job: MakeJob) -> None:
    """Attempts that were made are kept beside the outcome, and an outcome that is there is not overwritten."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        begun, done = job(), job()
        tried = (Attempt(number=1, started_at=NOW, duration=0.5, error="gone"),)
        for each, outcome in ((begun, None), (done, Outcome.SUCCESS)):
            await store.add_job(each)
            made = ExecutionRecord(job_id=str(each.id), handler_id="h", method="m", attempts=tried, outcome=outcome)
            await (log.record_attempt(made) if outcome is None else log.record_outcome(replace(made, ended_at=NOW)))
            await store.remove_job(str(each.id))
        first, second = await log.get(str(begun.id)), await log.get(str(done.id))
        assert first is not None
        assert second is not None
        assert (first.attempts, first.outcome) == (tried, Outcome.CANCELLED)
        assert first.error == "removed before it had its outcome; it has been begun"
        assert (second.outcome, second.ended_at, second.error) == (Outcome.SUCCESS, NOW, None)
        assert await store.count_waiting() == 0

    on_store(scene)
