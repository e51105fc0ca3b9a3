"""Pages of lists, of memory, SQLite and PostgreSQL: in order, each row once, ended before they fill the memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler import ConflictPolicy, Job, Schedule

from schedule_zero.execution_log import Cursor, ExecutionLog, ExecutionRecord, Filters
from schedule_zero.scheduler import task_id
from schedule_zero.schema import micros
from schedule_zero.store import JobStore

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scene = Callable[[JobStore, ExecutionLog], Awaitable[None]]
Stores = Callable[[Scene], None]
MakeJob = Callable[..., Job]
MakeSchedule = Callable[..., Schedule]
MakeRecord = Callable[..., ExecutionRecord]


def test_pages_of_jobs_and_schedules(on_store: Stores, job: MakeJob, schedule: MakeSchedule) -> None:
    """Jobs in the order of their arrival and schedules by id, a page at a time, all or of one handler."""

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for handler in ("h", "other", "h"):
            await store.add_job(job(handler))
        for name in "cab":
            await store.add_schedule(schedule(name), ConflictPolicy.exception)
        first = await store.page_jobs(limit=2)
        assert first.place is not None
        rest = await store.page_jobs(after=first.place, limit=2)
        assert [item.kwargs["handler_id"] for item in (*first.items, *rest.items)] == ["h", "other", "h"]
        assert rest.place is None
        assert len((await store.page_jobs(task=task_id("h"), acquired=False)).items) == 2
        assert await store.count_waiting() == 3
        found = await store.page_schedules(after="a", limit=1)
        assert ([item.id for item in found.items], found.place) == (["b"], "b")

    on_store(scene)


def test_a_page_of_the_log_ends_when_it_is_large(on_store: Stores, record: MakeRecord) -> None:
    """At most 4 MiB of results, or one alone that is larger; who follows the cursor meets each once and whole."""
    sizes = [2_000_000, 2_000_000, 2_000_000, 6_000_000, 10, 10]

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for n, size in enumerate(sizes):
            await log.record_outcome(record(f"job{n}", minute=n, result="x" * size))
        found, pages, after = [], [], None
        while True:
            page = await log.page(Filters(after=after), limit=5)
            pages.append(len(page.items))
            found += page.items
            after = page.place
            if after is None:
                break
        assert pages == [2, 1, 1, 2]
        assert [len(item.result) for item in found] == sizes
        newest = await log.page(Filters(newest=True), limit=10)
        assert ([item.job_id for item in newest.items], newest.place) == (
            ["job5", "job4"],
            Cursor(micros(NOW + timedelta(minutes=4)) or 0, "job4"),
        )
        brief = await log.page(limit=6, results=False)
        assert [(item.job_id, item.result) for item in brief.items] == [(f"job{n}", None) for n in range(6)]
        assert brief.place is None

    on_store(scene)


def test_pages_of_jobs_and_schedules_end_when_they_are_large(
    on_store: Stores, job: MakeJob, schedule: MakeSchedule
) -> None:
    """Parameters may be as large as results are: two of a megabyte and a half are a page."""
    large = {"handler_id": "h", "method": "m", "params": {"text": "x" * 1_500_000}}

    async def scene(store: JobStore, log: ExecutionLog) -> None:
        for name in "abc":
            there = schedule(name)
            there.kwargs = large
            await store.add_schedule(there, ConflictPolicy.exception)
            await store.add_job(job(kwargs=large))
        first = await store.page_jobs(limit=3)
        assert (len(first.items), first.place is None) == (2, False)
        assert len((await store.page_jobs(after=first.place or 0, limit=3)).items) == 1
        page = await store.page_schedules(limit=3)
        assert ([item.id for item in page.items], page.place) == (["a", "b"], "b")
        assert [item.id for item in (await store.page_schedules(after="b", limit=3)).items] == ["c"]
        assert len(await store.next_schedules(3)) == 2

    on_store(scene)
