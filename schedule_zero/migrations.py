"""From one version of the store's tables to the next.

A store says which version its tables have: SQLite in ``user_version``, PostgreSQL in the table ``store_version``. One
that is new gets the tables of `schema` as they are now; an older one is brought up to date step by step, all in the
transaction in which its version was looked at under a lock, so that it has one version or the other whatever happens,
and servers that start at once do it once.

To change a table: change `schema.TABLES`, raise `schema.SCHEMA_VERSION`, and add a step here that does the same to a
store of the version before. Steps are never changed afterwards. A step that adds lets servers of the version before,
which are still connected, go on until they are stopped; what takes away must wait until nobody uses it.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Final

from schedule_zero.dialect import Session
from schedule_zero.schema import SCHEMA_VERSION, TABLES

__all__ = ["STEPS", "bring_up_to_date"]

STEPS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        # The indexes that version 1 got in the course of time, which only new stores were made with.
        "CREATE INDEX IF NOT EXISTS schedules_acquired ON schedules (acquired_until) WHERE acquired_by IS NOT NULL",
        "CREATE INDEX IF NOT EXISTS executions_failed ON executions (ended_at, job_id)"
        " WHERE outcome IS NOT NULL AND outcome != 'success'",
        "CREATE INDEX IF NOT EXISTS executions_of_schedule ON executions (schedule_id, ended_at, job_id)"
        " WHERE outcome IS NOT NULL AND schedule_id IS NOT NULL",
        # Due schedules are gone through in this order, page by page.
        "DROP INDEX IF EXISTS schedules_due",
        "CREATE INDEX schedules_due ON schedules (next_fire, id)",
    ),
    2: (
        # The table was WITHOUT ROWID, which is slow with large rows.
        """CREATE TABLE executions_3 (
        job_id TEXT NOT NULL PRIMARY KEY, schedule_id TEXT, handler_id TEXT NOT NULL, method TEXT NOT NULL,
        scheduled_for INTEGER, accepted_at INTEGER, started_at INTEGER, ended_at INTEGER,
        attempts TEXT NOT NULL, outcome TEXT, error TEXT, result TEXT)""",
        "INSERT INTO executions_3 SELECT job_id, schedule_id, handler_id, method, scheduled_for, accepted_at,"
        " started_at, ended_at, attempts, outcome, error, result FROM executions",
        "DROP TABLE executions",
        "ALTER TABLE executions_3 RENAME TO executions",
        "CREATE INDEX executions_ended ON executions (ended_at, job_id) WHERE outcome IS NOT NULL",
        "CREATE INDEX executions_failed ON executions (ended_at, job_id)"
        " WHERE outcome IS NOT NULL AND outcome != 'success'",
        "CREATE INDEX executions_of_schedule ON executions (schedule_id, ended_at, job_id)"
        " WHERE outcome IS NOT NULL AND schedule_id IS NOT NULL",
    ),
}
"""By the version that a store has, the statements that make the next one of it."""
OF_SQLITE: Final = frozenset({2})
"""The versions whose step changes nothing but how SQLite lays out its file: for PostgreSQL there is nothing to do."""


def bring_up_to_date(c: Session, version: int, name: str, *, steps: dict[int, tuple[str, ...]] = STEPS) -> None:
    """Make the tables of a store that has none (version 0), or do the steps from its version on, which is logged of the
    store of that `name`.

    Inside the caller's transaction, who also writes down the version; `steps` for other versions than ours.
    """
    if version == 0:
        for statement in TABLES:
            c.execute(statement)
        return
    newest = max(steps, default=0) + 1
    for before in range(version, newest):
        if before in OF_SQLITE and not isinstance(c, sqlite3.Connection):
            continue
        for statement in steps[before]:
            c.execute(statement)
    if version < newest:
        log = logging.getLogger(__name__)
        log.warning("the tables of %s were brought from version %d to %d", name, version, newest)


assert max(STEPS) + 1 == SCHEMA_VERSION, "a version of the tables without a step that leads to it"
