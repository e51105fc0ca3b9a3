"""`ExecutionLog`: one outcome a job, pages that stay put, bounded growth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from schedule_zero.database import Database
from schedule_zero.execution_log import Attempt, Cursor, ExecutionLog, ExecutionRecord, Filters, Outcome
from schedule_zero.schema import micros

pytestmark = pytest.mark.unit

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(path: Path | str = ":memory:") -> AsyncIterator[ExecutionLog]:
    """A log of its own."""
    log = ExecutionLog(path)
    await log.start()
    try:
        yield log
    finally:
        await log.close()


def record(job_id: str, outcome: Outcome | None = Outcome.SUCCESS, minute: int = 0, **fields: Any) -> ExecutionRecord:
    """An execution that ended `minute` minutes after twelve."""
    values: dict[str, Any] = {"handler_id": "h", "method": "m", "started_at": NOW, **fields}
    ended = None if outcome is None else NOW + timedelta(minutes=minute)
    return ExecutionRecord(job_id=job_id, outcome=outcome, ended_at=ended, **values)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own, with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(20.0):
            await scene()

    asyncio.run(bounded())


def test_an_execution_is_begun_once() -> None:
    """Of two servers that begin the same job, the second is told that it is not the first."""

    async def scene() -> None:
        async with opened() as log:
            assert await log.record_start(record("a", None)) is True
            assert await log.record_start(record("a", None)) is False

    run(scene)


def test_the_first_outcome_of_a_job_stays() -> None:
    """A second outcome is refused and changes nothing."""

    async def scene() -> None:
        async with opened() as log:
            assert await log.record_outcome(record("a", Outcome.SUCCESS, result={"n": 1})) is True
            assert await log.record_outcome(record("a", Outcome.ERROR, 5, error="late")) is False
            kept = await log.get("a")
            assert kept is not None
            assert (kept.outcome, kept.result, kept.error, kept.ended_at) == (
                Outcome.SUCCESS,
                {"n": 1},
                None,
                NOW,
            )

    run(scene)


def test_a_record_comes_back_as_it_was_even_from_the_file(tmp_path: Path) -> None:
    """Every field survives a restart, to the microsecond."""
    full = record(
        "a",
        Outcome.TIMEOUT,
        schedule_id="s",
        scheduled_for=NOW + timedelta(microseconds=1),
        accepted_at=NOW - timedelta(microseconds=1),
        attempts=(Attempt(1, NOW, 0.25, "no answer"), Attempt(2, NOW, 0.5)),
        error="no answer",
        result=[1, "é", None],
    )

    async def write() -> None:
        async with opened(tmp_path / "log.db") as log:
            await log.record_outcome(full)

    async def read() -> None:
        async with opened(tmp_path / "log.db") as log:
            assert await log.get("a") == full

    run(write)
    run(read)


def test_an_execution_that_goes_on_is_known_but_not_listed() -> None:
    """Start and attempts can be asked for by id; queries and statistics count outcomes alone."""

    async def scene() -> None:
        async with opened() as log:
            await log.record_start(record("a", None))
            await log.record_attempt(record("a", None, attempts=(Attempt(1, NOW, 0.1, "x"),)))
            known = await log.get("a")
            assert known is not None
            assert (known.outcome, len(known.attempts)) == (None, 1)
            assert await log.query() == []
            assert (await log.stats())["total"] == 0
            await log.record_outcome(record("a"))
            assert [r.job_id for r in await log.query()] == ["a"]

    run(scene)


def test_an_outcome_needs_its_end() -> None:
    """A record without an outcome cannot be passed off as final."""

    async def scene() -> None:
        async with opened() as log:
            with pytest.raises(ValueError, match="job a has no outcome"):
                await log.record_outcome(record("a", None))

    run(scene)


def test_pages_are_stable_while_executions_arrive() -> None:
    """A cursor goes on behind what was read, in the order (ended_at, job id), whatever is added before it."""

    async def scene() -> None:
        async with opened() as log:
            for name, minute in (("c", 1), ("a", 2), ("b", 2), ("d", 3)):
                await log.record_outcome(record(name, minute=minute))
            first = await log.query(limit=2)
            assert [r.job_id for r in first] == ["c", "a"]
            await log.record_outcome(record("early", minute=0))
            place = Cursor(micros(first[-1].ended_at) or 0, first[-1].job_id)
            assert [r.job_id for r in await log.query(Filters(after=place))] == ["b", "d"]
            assert [r.job_id for r in await log.query(limit=2, offset=1)] == ["c", "a"]

    run(scene)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(handler_id="g"), ["3"]),
        (Filters(schedule_id="s"), ["2"]),
        (Filters(outcome=Outcome.ERROR), ["2"]),
        (Filters(since=NOW + timedelta(minutes=2)), ["2", "3"]),
        (Filters(handler_id="h", outcome=Outcome.SUCCESS), ["1"]),
        (Filters(handler_id="nobody"), []),
    ],
)
def test_filters_narrow_what_is_found(filters: Filters, found: list[str]) -> None:
    """Each filter works alone and together with others."""

    async def scene() -> None:
        async with opened() as log:
            await log.record_outcome(record("1", minute=1))
            await log.record_outcome(record("2", Outcome.ERROR, 2, schedule_id="s"))
            await log.record_outcome(record("3", minute=3, handler_id="g"))
            assert [r.job_id for r in await log.query(filters)] == found
            assert await log.count(filters) == len(found)

    run(scene)


def test_statistics_and_errors() -> None:
    """Counts are told by outcome and handler; errors are the latest first."""

    async def scene() -> None:
        async with opened() as log:
            await log.record_outcome(record("1"))
            await log.record_outcome(record("2", Outcome.ERROR, 1))
            await log.record_outcome(record("3", Outcome.TIMEOUT, 2, handler_id="g"))
            stats = await log.stats()
            assert stats["total"] == 3
            assert stats["by_handler"] == {"g": {"timeout": 1}, "h": {"error": 1, "success": 1}}
            assert stats["by_outcome"]["missed"] == 0
            assert [r.job_id for r in await log.errors()] == ["3", "2"]

    run(scene)


def test_the_log_is_bounded_by_age_and_count_but_keeps_what_goes_on() -> None:
    """Old and surplus outcomes are dropped, oldest first; an execution without outcome is never dropped."""

    async def scene() -> None:
        async with opened() as log:
            await log.record_start(record("running", None))
            for minute in range(5):
                await log.record_outcome(record(str(minute), minute=minute))
            assert await log.purge(max_count=2) == 3
            assert [r.job_id for r in await log.query()] == ["3", "4"]
            assert await log.purge(max_age=1.0) == 2
            assert await log.clear() == 0
            assert await log.get("running") is not None

    run(scene)


def test_the_newest_come_first_when_asked_and_pages_follow_that_order() -> None:
    """With ``newest`` the order is turned round, and a cursor leads further back, not forward."""

    async def scene() -> None:
        async with opened() as log:
            for minute in range(4):
                await log.record_outcome(record(f"j{minute}", minute=minute))
            first = await log.query(Filters(newest=True), limit=2)
            after = Cursor(micros(NOW + timedelta(minutes=2)) or 0, "j2")
            rest = await log.query(Filters(newest=True, after=after))
        assert [found.job_id for found in first] == ["j3", "j2"]
        assert [found.job_id for found in rest] == ["j1", "j0"]

    run(scene)


def test_a_job_is_found_without_a_look_at_the_results_of_others(tmp_path: Path) -> None:
    """Among sixteen results of a megabyte, to look for a job that is not there reads less than half of one."""

    def look(c: Any) -> int:
        process = psutil.Process()
        before = process.io_counters().read_chars
        assert c.execute("SELECT method FROM executions WHERE job_id = 'j07x'").fetchone() is None
        return int(process.io_counters().read_chars - before)

    async def scene() -> None:
        async with opened(tmp_path / "log.db") as log:
            for n in range(16):
                await log.record_outcome(record(f"j{n:02}", minute=n, result="x" * 1_000_000))
            assert await log._db.read(look) < 500_000

    run(scene)


def test_the_few_that_are_wanted_are_found_without_a_look_at_all() -> None:
    """Failures, and the executions of one schedule, are read from an index of their own, in the order that is asked."""

    asked: list[tuple[str, Any]] = []

    class Noting:
        """A connection that notes what it is asked."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def execute(self, query: str, values: Any = ()) -> Any:
            asked.append((query, values))
            return self._connection.execute(query, values)

    async def scene() -> None:
        async with opened() as log:
            read = log._db.read
            log._db.read = lambda work: read(lambda c: work(Noting(c)))  # type: ignore[method-assign]
            await log.errors()
            await log.query(Filters(outcome=Outcome.TIMEOUT, newest=True))
            await log.query(Filters(schedule_id="s", newest=True))

            def plan(query: str, values: Any) -> Awaitable[str]:
                return read(lambda c: str([row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {query}", values)]))

            plans = [await plan(*question) for question in asked]
        assert "executions_failed" in plans[0]
        assert "executions_failed" in plans[1]
        assert "executions_of_schedule (schedule_id=?)" in plans[2]
        assert "TEMP B-TREE" not in str(plans)

    run(scene)


def test_of_a_damaged_record_every_instant_is_shown_that_is_one() -> None:
    """Also one in the far future, for which a schedule may be; what is no instant is left out, and says so."""
    far = datetime(9000, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)

    async def scene() -> None:
        database = Database(None)
        await database.start()
        log = ExecutionLog(database)
        await log.record_outcome(record("a", scheduled_for=far, accepted_at=NOW))
        damage = "UPDATE executions SET attempts = 'none', accepted_at = 'noon', started_at = 9000000000000000000"
        await database.write(lambda c: c.execute(damage).rowcount)
        shown = await log.get("a")
        assert shown is not None
        assert (shown.scheduled_for, shown.accepted_at, shown.started_at, shown.ended_at) == (far, None, None, NOW)
        assert (shown.error or "").startswith("this record cannot be read in full: ")
        await database.close()

    run(scene)
