"""Every execution and what came of it.

A job id has at most one final outcome, for ever: the first one recorded stays. `GET /api/executions`, the
harness and the executor after a crash all ask here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from schedule_zero.database import Database
from schedule_zero.dialect import Session
from schedule_zero.requests import Instant
from schedule_zero.row_pages import rows_within
from schedule_zero.schema import instant, micros
from schedule_zero.storage import Storage
from schedule_zero.unreadable import Page

T = TypeVar("T")
#: The most rows that one query returns.
MAX_LIMIT = 1000
_COLUMNS = (
    "job_id, schedule_id, handler_id, method, scheduled_for, accepted_at, started_at, ended_at,"
    " attempts, outcome, error, result"
)
#: The columns that may be large: results, and what handlers say.
_LARGE = ("attempts", "error", "result")
# Once outcome and job row are both there, a crash may still bring the job back: only the row stops it from
# running again.
_DONE = "outcome IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = executions.job_id)"
#: Seconds after which a transaction that drops executions is to end, and how many it drops at most with one statement.
_MOMENT, _PIECE = 0.1, 256
#: Damaged rows without an end are nobody's newest.
_NEWEST = (
    f"SELECT ended_at, job_id FROM executions WHERE {_DONE} AND ended_at IS NOT NULL"
    " ORDER BY ended_at DESC, job_id DESC LIMIT 1 OFFSET ?"
)
_INSERT = f"INSERT INTO executions ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_BEGIN = f"{_INSERT} ON CONFLICT (job_id) DO NOTHING"
_UPSERT = f"""{_INSERT}
    ON CONFLICT (job_id) DO UPDATE SET
        started_at = coalesce(executions.started_at, excluded.started_at), ended_at = excluded.ended_at,
        attempts = excluded.attempts, outcome = excluded.outcome,
        error = excluded.error, result = excluded.result
    WHERE executions.outcome IS NULL"""


class Outcome(Enum):
    """How an execution ended; every accepted job gets exactly one."""

    SUCCESS = "success"
    #: The handler answered that it failed.
    ERROR = "error"
    #: The last attempt got no answer in time; the handler may or may not have done the work.
    TIMEOUT = "timeout"
    #: The last attempt could not reach the handler.
    UNREACHABLE = "unreachable"
    #: The job could not start before its deadline (misfire grace time).
    MISSED = "missed"
    #: A job that may run once at most had begun when the server died: nobody knows what became of it.
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


#: The error of an attempt that nobody saw the end of.
BROKEN_OFF = "broken off: the server died, or was stopped, while it had this job; the call may have been made"


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call to the handler: its number from 1, when it began, how long it took in seconds, and what went
    wrong.

    `incarnation` names the start of the handler in which the call ran, or may have run; it is told for executions
    of more than one attempt. `maybe_again` says that an earlier attempt may have run in another start of the
    handler, which has taken its memory of that along: the work may have been done twice. `broken_off` says that nobody
    saw the end: it is known that the call was about to be made, and not how long it took.
    """

    number: int
    started_at: Instant
    duration: float
    error: str | None = None
    incarnation: str | None = None
    maybe_again: bool = False
    broken_off: bool = False


class ExecutionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the log; `outcome` is None while the execution goes on. All instants are aware, in UTC."""

    job_id: str
    handler_id: str
    method: str
    schedule_id: str | None = None
    scheduled_for: Instant | None = None
    accepted_at: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    result: Any = None


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in the log: everything up to this (ended_at in microseconds, job id) has been read."""

    ended_at: int
    job_id: str


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions a query wants; `since` bounds `ended_at` from below, `newest` puts the latest first, `failed`
    wants only those that did not succeed.
    """

    handler_id: str | None = None
    schedule_id: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    after: Cursor | None = None
    newest: bool = False
    failed: bool = False


def insert_record(c: Session, record: ExecutionRecord) -> bool:
    """Write a record inside the caller's transaction; False if the job already had its final outcome, which
    then stays.
    """
    return c.execute(_UPSERT, _to_row(record)).rowcount > 0


def find_record(c: Session, job_id: str) -> ExecutionRecord | None:
    """The record of that job, or None."""
    row = c.execute(f"SELECT {_COLUMNS} FROM executions WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else _from_row(row)


async def _at_leisure(work: Awaitable[T]) -> T:
    return await work


class ExecutionLog:
    """The log in a database: a `Storage` shared with the store, or a file of its own (``":memory:"`` for
    none).
    """

    def __init__(self, database: Storage | Path | str) -> None:
        self._owns = not isinstance(database, Storage)
        self._db: Storage
        if isinstance(database, Storage):
            self._db = database
        else:
            self._db = Database(None if str(database) == ":memory:" else Path(database))

    async def start(self) -> None:
        """Open the database if it is the log's own."""
        if self._owns:
            await self._db.start()

    async def close(self) -> None:
        """Close the database if it is the log's own."""
        if self._owns:
            await self._db.close()

    async def record_start(self, record: ExecutionRecord) -> bool:
        """Make it durable that the execution has begun (needed before a call that may happen once at most).

        False if another server has begun it: one that took the job over when this one's lease had run out.
        """
        return await self._db.write(lambda c: c.execute(_BEGIN, _to_row(record)).rowcount > 0)

    async def record_attempt(self, record: ExecutionRecord) -> None:
        """Make the attempts made so far durable; `record.outcome` is None."""
        await self._db.write(lambda c: insert_record(c, record))

    async def record_outcome(self, record: ExecutionRecord) -> bool:
        """Make the final outcome durable; False if the job already had one, which then stays."""
        if record.outcome is None or record.ended_at is None:
            raise ValueError(f"the record of job {record.job_id} has no outcome and end: record_outcome needs both")
        return await self._db.write(lambda c: insert_record(c, record))

    async def get(self, job_id: str) -> ExecutionRecord | None:
        """The record of that job, or None."""
        return await self._db.read(lambda c: find_record(c, job_id))

    async def query(
        self, filters: Filters | None = None, *, limit: int = 100, offset: int = 0
    ) -> list[ExecutionRecord]:
        """Finished executions by (ended_at, job id), oldest first unless told; `limit` is cut to 1000.

        However large they are: for whom that is too much there is `page`.
        """
        query, values, _ = _query(filters or Filters(), _between(limit), offset)
        rows = await self._db.read(lambda c: c.execute(query, values).fetchall())
        return [_from_row(row) for row in rows]

    async def page(
        self, filters: Filters | None = None, *, limit: int = 100, offset: int = 0, results: bool = True
    ) -> Page[ExecutionRecord, Cursor]:
        """As `query`, but less if they are large: 4 MiB, or one. Without `results` these are not even read."""
        most = _between(limit)
        # One more than is wanted shows whether there are more.
        query, values, order = _query(filters or Filters(), most + 1, offset, results=results)
        rows, cut = await self._db.read(lambda c: rows_within(c, query, values, order=order, large=_LARGE))
        shown, more = rows[:most], cut or len(rows) > most
        return Page([_from_row(row) for row in shown], _place(shown[-1]) if shown and more else None)

    async def count(self, filters: Filters | None = None) -> int:
        """How many finished executions match."""
        where, values = _where(filters or Filters())
        query = f"SELECT count(*) FROM executions WHERE {where}"
        return cast("int", await self._db.read(lambda c: c.execute(query, values).fetchone()[0]))

    async def stats(self) -> dict[str, Any]:
        """Counts: the total, by outcome, and by handler and outcome."""
        query = (
            "SELECT handler_id, outcome, count(*) FROM executions WHERE outcome IS NOT NULL"
            " GROUP BY handler_id, outcome ORDER BY handler_id, outcome"
        )
        rows: Sequence[tuple[str, str, int]] = await self._db.read(lambda c: c.execute(query).fetchall())
        by_outcome = {outcome.value: 0 for outcome in Outcome}
        by_handler: dict[str, dict[str, int]] = {}
        for handler_id, outcome, count in rows:
            by_outcome[outcome] = by_outcome.get(outcome, 0) + count
            by_handler.setdefault(handler_id, {})[outcome] = count
        return {"total": sum(by_outcome.values()), "by_outcome": by_outcome, "by_handler": by_handler}

    async def errors(self, *, limit: int = 100) -> list[ExecutionRecord]:
        """The latest executions that did not succeed, newest first."""
        return await self.query(Filters(failed=True, newest=True), limit=limit)

    async def purge(
        self, max_age: float | None = None, max_count: int | None = None, *, each: Callable[..., Any] = _at_leisure
    ) -> int:
        """Drop finished executions older than `max_age` seconds and all but the newest `max_count`; returns how
        many.

        That takes many transactions, none of them long; `each` awaits one of them, and may bound that.
        """
        removed = 0
        if max_age is not None:
            removed += await self._drop(Cursor(micros(datetime.now(UTC) - timedelta(seconds=max_age)) or 0, ""), each)
        if max_count is not None:
            last = await each(self._db.write(lambda c: c.execute(_NEWEST, (max(0, max_count - 1),)).fetchone()))
            if last is not None:
                removed += await self._drop(Cursor(*last), each, with_it=max_count == 0)
        return removed

    async def clear(self, *, each: Callable[..., Any] = _at_leisure) -> int:
        """Drop all executions that have finished by now; those that go on stay. Returns how many. As `purge`."""
        odd = f"DELETE FROM executions WHERE {_DONE} AND ended_at IS NULL"
        removed: int = await each(self._db.write(lambda c: c.execute(odd).rowcount))
        return removed + await self.purge(max_count=0, each=each)

    async def _drop(self, before: Cursor, each: Callable[..., Any], *, with_it: bool = False) -> int:
        removed, more = 0, True
        while more:
            gone, more = await each(self._db.write(lambda c: _drop_some(c, before, with_it=with_it)))
            removed += gone
        return removed


def to_json(record: ExecutionRecord) -> Mapping[str, Any]:
    """The record as plain JSON values: enums as their values, instants as ISO 8601."""
    return cast("Mapping[str, Any]", msgspec.to_builtins(record))


def _between(limit: int) -> int:
    return max(0, min(limit, MAX_LIMIT))


def _place(row: Sequence[Any]) -> Cursor:
    return Cursor(row[7] if isinstance(row[7], int) else 0, row[0])


def _query(filters: Filters, limit: int, offset: int, *, results: bool = True) -> tuple[str, list[Any], str]:
    """A statement with its values and its order; a place for results is there also without `results`."""
    where, values = _where(filters)
    order = "ended_at DESC, job_id DESC" if filters.newest else "ended_at, job_id"
    columns = _COLUMNS if results else _COLUMNS.replace(" result", " NULL AS result")
    query = f"SELECT {columns} FROM executions WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return query, [*values, limit, max(0, offset)], order


def _where(filters: Filters) -> tuple[str, list[Any]]:
    conditions = ["outcome IS NOT NULL"]
    values: list[Any] = []
    for condition, value in (
        ("handler_id = ?", filters.handler_id),
        ("schedule_id = ?", filters.schedule_id),
        ("outcome = ?", filters.outcome and filters.outcome.value),
        ("ended_at >= ?", micros(filters.since)),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if filters.failed or filters.outcome not in (None, Outcome.SUCCESS):
        # Of an outcome this says nothing new, but lets the index of failures be used.
        conditions.append("outcome != 'success'")
    if filters.after is not None:
        conditions.append(f"(ended_at, job_id) {'<' if filters.newest else '>'} (?, ?)")
        values += [filters.after.ended_at, filters.after.job_id]
    return " AND ".join(conditions), values


def _drop_some(c: Session, before: Cursor, *, with_it: bool) -> tuple[int, bool]:
    """Drop what is done and stands before a place, as much as can be in a moment, the oldest first; how many that
    were, and whether there are more.
    """
    some = (
        f"SELECT job_id FROM executions WHERE {_DONE} AND (ended_at, job_id) {'<=' if with_it else '<'} (?, ?)"
        " ORDER BY ended_at, job_id LIMIT ?"
    )
    begun, removed, piece = time.monotonic(), 0, 1
    while True:
        values = (before.ended_at, before.job_id, piece)
        gone = c.execute(f"DELETE FROM executions WHERE job_id IN ({some})", values).rowcount
        removed += gone
        if gone < piece or time.monotonic() - begun >= _MOMENT:
            return removed, gone == piece
        # One with a result of 8 MiB takes as long as a thousand small ones.
        piece = min(2 * piece, _PIECE)


def _to_row(record: ExecutionRecord) -> tuple[Any, ...]:
    return (
        record.job_id,
        record.schedule_id,
        record.handler_id,
        record.method,
        micros(record.scheduled_for),
        micros(record.accepted_at),
        micros(record.started_at),
        micros(record.ended_at),
        msgspec.json.encode(record.attempts).decode(),
        None if record.outcome is None else record.outcome.value,
        record.error,
        None if record.result is None else msgspec.json.encode(record.result).decode(),
    )


def _from_row(row: Sequence[Any]) -> ExecutionRecord:
    try:
        return _whole(row)
    except Exception as error:  # noqa: BLE001 - of a damaged row all is shown that can be, the others go on
        return _in_part(row, f"this record cannot be read in full: {type(error).__name__}: {error}")


def _in_part(row: Sequence[Any], error: str) -> ExecutionRecord:
    """What can be told of a row that makes no sense as a whole; an outcome that nobody knows is `ABANDONED`."""
    known = {outcome.value: outcome for outcome in Outcome}
    scheduled_for, accepted_at, started_at, ended_at = map(_instant_if_any, row[4:8])
    return ExecutionRecord(
        job_id=str(row[0]),
        schedule_id=None if row[1] is None else str(row[1]),
        handler_id=str(row[2]),
        method=str(row[3]),
        scheduled_for=scheduled_for,
        accepted_at=accepted_at,
        started_at=started_at,
        ended_at=ended_at,
        outcome=None if row[9] is None else known.get(row[9], Outcome.ABANDONED),
        error=error,
    )


def _instant_if_any(value: Any) -> datetime | None:
    """The instant; None for what is none."""
    try:
        return instant(value)
    except (OverflowError, TypeError, ValueError):
        return None


def _whole(row: Sequence[Any]) -> ExecutionRecord:
    return ExecutionRecord(
        job_id=row[0],
        schedule_id=row[1],
        handler_id=row[2],
        method=row[3],
        scheduled_for=instant(row[4]),
        accepted_at=instant(row[5]),
        started_at=instant(row[6]),
        ended_at=instant(row[7]),
        attempts=msgspec.json.decode(row[8], type=tuple[Attempt, ...]),
        outcome=None if row[9] is None else Outcome(row[9]),
        error=row[10],
        result=None if row[11] is None else msgspec.json.decode(row[11]),
    )
