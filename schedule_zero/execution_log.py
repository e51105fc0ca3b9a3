"""Every execution and what came of it.

A job id has at most one final outcome, for ever: the first one recorded stays. `GET /api/executions`, the
harness and the executor after a crash all ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

import msgspec

from schedule_zero.database import Database
from schedule_zero.dialect import Session
from schedule_zero.requests import Instant
from schedule_zero.schema import instant, micros
from schedule_zero.storage import Storage

#: The most rows that one query returns.
MAX_LIMIT = 1000
_COLUMNS = (
    "job_id, schedule_id, handler_id, method, scheduled_for, accepted_at, started_at, ended_at,"
    " attempts, outcome, error, result"
)
# Once outcome and job row are both there, a crash may still bring the job back: only the row stops it from
# running again.
_DONE = "outcome IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = executions.job_id)"
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
    """Which executions a query wants; `since` bounds `ended_at` from below, `newest` puts the latest first."""

    handler_id: str | None = None
    schedule_id: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    after: Cursor | None = None
    newest: bool = False


def insert_record(c: Session, record: ExecutionRecord) -> bool:
    """Write a record inside the caller's transaction; False if the job already had its final outcome, which
    then stays.
    """
    return c.execute(_UPSERT, _to_row(record)).rowcount > 0


def find_record(c: Session, job_id: str) -> ExecutionRecord | None:
    """The record of that job, or None."""
    row = c.execute(f"SELECT {_COLUMNS} FROM executions WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else _from_row(row)


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
        """Finished executions by (ended_at, job id), oldest first unless told; `limit` is cut to 1000."""
        wanted = filters or Filters()
        where, values = _where(wanted)
        order = "ended_at DESC, job_id DESC" if wanted.newest else "ended_at, job_id"
        query = f"SELECT {_COLUMNS} FROM executions WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        values += [max(0, min(limit, MAX_LIMIT)), max(0, offset)]
        rows = await self._db.read(lambda c: c.execute(query, values).fetchall())
        return [_from_row(row) for row in rows]

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
        query = (
            f"SELECT {_COLUMNS} FROM executions WHERE outcome IS NOT NULL AND outcome != 'success'"
            " ORDER BY ended_at DESC, job_id DESC LIMIT ?"
        )
        rows = await self._db.read(lambda c: c.execute(query, (max(0, min(limit, MAX_LIMIT)),)).fetchall())
        return [_from_row(row) for row in rows]

    async def purge(self, max_age: float | None = None, max_count: int | None = None) -> int:
        """Drop finished executions older than `max_age` seconds and all but the newest `max_count`; returns how
        many.
        """
        cutoff = None if max_age is None else micros(datetime.now(UTC) - timedelta(seconds=max_age))
        return await self._db.write(lambda c: _purge(c, cutoff, max_count))

    async def clear(self) -> int:
        """Drop all finished executions; those that go on stay. Returns how many."""
        query = f"DELETE FROM executions WHERE {_DONE}"
        return await self._db.write(lambda c: c.execute(query).rowcount)


def to_json(record: ExecutionRecord) -> Mapping[str, Any]:
    """The record as plain JSON values: enums as their values, instants as ISO 8601."""
    return cast("Mapping[str, Any]", msgspec.to_builtins(record))


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
    if filters.outcome not in (None, Outcome.SUCCESS):
        # Says nothing new, but lets the index of failures be used.
        conditions.append("outcome != 'success'")
    if filters.after is not None:
        conditions.append(f"(ended_at, job_id) {'<' if filters.newest else '>'} (?, ?)")
        values += [filters.after.ended_at, filters.after.job_id]
    return " AND ".join(conditions), values


def _purge(c: Session, cutoff: int | None, max_count: int | None) -> int:
    removed = 0
    if cutoff is not None:
        removed += c.execute(
            f"DELETE FROM executions WHERE {_DONE} AND ended_at < ?",
            (cutoff,),
        ).rowcount
    if max_count is not None:
        removed += c.execute(
            f"DELETE FROM executions WHERE job_id IN (SELECT job_id FROM executions WHERE {_DONE}"
            " ORDER BY ended_at DESC, job_id DESC LIMIT 9223372036854775807 OFFSET ?)",
            (max_count,),
        ).rowcount
    return removed


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
