"""The tables of the store.

One database holds the work (tasks, schedules, jobs), what came of it (executions) and the idempotency keys, so that
steps which must not be torn apart by a crash can share one transaction. Instants are integer microseconds since
the epoch in UTC.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from schedule_zero.instants import EARLIEST, LATEST
from schedule_zero.store_errors import StoreForeign, StoreTooNew

#: The version of these tables; `migrations` has the way to it from each older one.
SCHEMA_VERSION = 3
#: What marks a SQLite file as one of this package: "SZjb".
APPLICATION_ID = 0x535A6A62

TABLES = (
    """CREATE TABLE IF NOT EXISTS tasks (
        id TEXT PRIMARY KEY, func TEXT, job_executor TEXT NOT NULL, max_running_jobs INTEGER,
        misfire_grace INTEGER, metadata TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS schedules (
        id TEXT PRIMARY KEY, task_id TEXT NOT NULL, "trigger" TEXT NOT NULL, kwargs TEXT NOT NULL,
        paused INTEGER NOT NULL, "coalesce" TEXT NOT NULL, misfire_grace INTEGER, max_jitter INTEGER,
        job_executor TEXT NOT NULL, metadata TEXT NOT NULL, last_fire INTEGER, next_fire INTEGER,
        acquired_by TEXT, acquired_until INTEGER)""",
    "CREATE INDEX IF NOT EXISTS schedules_due ON schedules (next_fire, id)",
    "CREATE INDEX IF NOT EXISTS schedules_acquired ON schedules (acquired_until) WHERE acquired_by IS NOT NULL",
    # seq, not created_at, is the order of arrival: a wall clock that jumps back must not reorder or starve
    # jobs.
    """CREATE TABLE IF NOT EXISTS jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL, kwargs TEXT NOT
        NULL, schedule_id TEXT, scheduled_fire INTEGER, jitter INTEGER NOT NULL, start_deadline INTEGER,
        job_executor TEXT NOT NULL, metadata TEXT NOT NULL, created_at INTEGER NOT NULL, acquired_by TEXT,
        acquired_until INTEGER)""",
    "CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (task_id, seq) WHERE acquired_by IS NULL",
    "CREATE INDEX IF NOT EXISTS jobs_overdue ON jobs (start_deadline)"
    " WHERE acquired_by IS NULL AND start_deadline IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS jobs_acquired ON jobs (acquired_by) WHERE acquired_by IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS jobs_schedule ON jobs (schedule_id) WHERE schedule_id IS NOT NULL",
    # Not WITHOUT ROWID: to find a job there SQLite reads the whole of every row on the way, results of 8 MiB included.
    """CREATE TABLE IF NOT EXISTS executions (
        job_id TEXT NOT NULL PRIMARY KEY, schedule_id TEXT, handler_id TEXT NOT NULL, method TEXT NOT NULL,
        scheduled_for INTEGER, accepted_at INTEGER, started_at INTEGER, ended_at INTEGER,
        attempts TEXT NOT NULL, outcome TEXT, error TEXT, result TEXT)""",
    "CREATE INDEX IF NOT EXISTS executions_ended ON executions (ended_at, job_id) WHERE outcome IS NOT NULL",
    # The few that failed among very many, and those of one schedule among all: looking through the whole log for them
    # would hold up every other reader for seconds.
    "CREATE INDEX IF NOT EXISTS executions_failed ON executions (ended_at, job_id)"
    " WHERE outcome IS NOT NULL AND outcome != 'success'",
    "CREATE INDEX IF NOT EXISTS executions_of_schedule ON executions (schedule_id, ended_at, job_id)"
    " WHERE outcome IS NOT NULL AND schedule_id IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, target TEXT NOT NULL, created_at INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS idempotency_age ON idempotency (created_at)",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def require_ours(connection: sqlite3.Connection, name: str) -> int:
    """The version of a file's tables, 0 for an empty file; raises `StoreForeign` or `StoreTooNew` for one that is not
    of this package, or of a newer version.

    Files of the first version carry no `APPLICATION_ID`: they are known by their tables.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application not in (0, APPLICATION_ID):
        raise foreign(name, f"its application_id is {application:#x}")
    if version > SCHEMA_VERSION:
        raise too_new(name, version)
    if application == 0 and tables and not (version and tables >= {"executions", "idempotency"}):
        raise foreign(name, f"it has the tables {', '.join(sorted(tables)[:5])}")
    return int(version)


def foreign(name: str, how: str) -> StoreForeign:
    """The error for a database of another application, and `how` that shows."""
    return StoreForeign(
        f"the database {name} belongs to another application ({how}), and was left as it is: name another database"
    )


def too_new(name: str, version: int) -> StoreTooNew:
    """The error for a database that a newer version of this package has written."""
    return StoreTooNew(
        f"the database {name} has schema version {version}, but this version of schedule_zero knows"
        f" {SCHEMA_VERSION} at most: use the newer version again, or restore a backup made by this one"
    )


def micros(instant: datetime | None) -> int | None:
    """Microseconds since the epoch of an aware datetime, exactly (no float in between)."""
    return None if instant is None else (instant - _EPOCH) // _MICROSECOND


def instant(value: int | None) -> datetime | None:
    """The UTC datetime of that many microseconds since the epoch; raises `OverflowError` beyond years 1 to 9999."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def near_instant(value: int) -> datetime:
    """As `instant`; for a value beyond the years that a datetime knows, the nearest one that it does.

    Only for when to look next: what is read from a row must be what the row says, or be refused.
    """
    first, last = ((moment - _EPOCH) // _MICROSECOND for moment in (EARLIEST, LATEST))
    return _EPOCH + timedelta(microseconds=min(max(value, first), last))


def span(value: timedelta | None) -> int | None:
    """A duration in whole microseconds."""
    return None if value is None else value // _MICROSECOND


def now_micros() -> int:
    """The present instant in microseconds since the epoch."""
    return (datetime.now(UTC) - _EPOCH) // _MICROSECOND
