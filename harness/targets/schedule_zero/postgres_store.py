"""A store in PostgreSQL: a server of the run's own, or a database that the user names.

Whoever names one, in ``HARNESS_POSTGRES_URL`` or by ``--set topology.scheduler.database_url=URL``, lends it: the run
has a schema of its own in it, which is dropped at the end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import TargetError, UsageError
from harness.history.records import Job
from harness.targets.schedule_zero import records
from harness.targets.schedule_zero.audits import Found
from harness.targets.schedule_zero.postgres_server import PostgresServer
from harness.targets.schedule_zero.records import ToScenario
from schedule_zero.postgres_url import parse

VARIABLE = "HARNESS_POSTGRES_URL"
"""Names a database to be used, ``postgresql://user:password@host/database``; what it holds is never written down."""
_PATIENCE = 10
"""Seconds until an attempt to connect, or to drop the run's schema, is given up."""
_SCHEDULER = "SCHEDULEZERO_DATABASE_URL"
"""By its environment, not by a file of the run's folder, which must hold no password."""


class PostgresStore:
    """The store of one run; `url` is the user's database, if any."""

    durable = True
    file: Path | None = None

    def __init__(self, url: str | None, run: str) -> None:
        _require_psycopg()
        lent = url or os.environ.get(VARIABLE)
        if lent and not lent.startswith(("postgresql://", "postgres://")):
            raise UsageError(f"{VARIABLE} or `database_url`: expected postgresql://USER@HOST/DATABASE")
        self._server = None if lent else PostgresServer()
        base = lent or (self._server.url if self._server else "")
        address = parse(f"{base}{'&' if '?' in base else '?'}schema=harness_{run[:12]}")
        self._conninfo, self._schema, self._shown = address
        self.variables: Mapping[str, str] = {
            _SCHEDULER: f"{self._conninfo}{'&' if '?' in self._conninfo else '?'}schema={self._schema}"
        }
        self._open = False

    def open(self) -> None:
        """Start the server, or see whether the user's can be reached; raises `TargetError`."""
        if self._open:
            return
        if self._server is not None:
            self._server.start()
        import psycopg

        try:
            with self._connected():
                self._open = True
        except psycopg.Error as error:
            raise TargetError(f"the store {self._shown} cannot be used: {error}") from error

    @contextlib.contextmanager
    def _connected(self, patience: int = _PATIENCE) -> Iterator[Any]:
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=patience) as connection:
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self._schema)))
            yield connection

    def _tables(self, connection: Any) -> list[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
        return [row[0] for row in connection.execute(query, (self._schema,))]

    def jobs(self, to_scenario: ToScenario) -> Iterable[Job]:
        """Read with the harness's own SQL, as it does with a file; raises `TargetError` when that cannot be done."""
        import psycopg

        try:
            with self._connected() as connection:
                return list(records.jobs_of(connection, to_scenario)) if "jobs" in self._tables(connection) else []
        except psycopg.Error as error:
            raise TargetError(f"the jobs in the store {self._shown} cannot be read: {error}") from error

    def backlog(self) -> int | None:
        """Counted in the table of jobs."""
        import psycopg

        try:
            with self._connected(patience=2) as connection:
                return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
        except psycopg.Error:
            return None

    def problems(self) -> Found | None:
        """Read every row of every table: in a server of the run's own, each page has a checksum."""
        import psycopg
        from psycopg import sql

        looked_at, found = 0, []
        try:
            with self._connected() as connection:
                for table in self._tables(connection):
                    looked_at += 1
                    try:
                        connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
                    except psycopg.Error as error:
                        found.append({"table": table, "problem": str(error).strip()})
        except psycopg.Error as error:
            return 1, [{"problem": f"the store {self._shown} cannot be read: {str(error).strip()}"}]
        return looked_at, found

    def close(self) -> None:
        """Stop the server, or drop the run's schema; raises `TargetError` when one of them stays."""
        was_open, self._open = self._open, False
        if self._server is not None:
            self._server.close()
        elif was_open:
            self._drop()

    def _drop(self) -> None:
        import psycopg
        from psycopg import sql

        try:
            with self._connected() as connection:
                connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(f"{_PATIENCE}s")))
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self._schema)))
        except psycopg.Error as error:
            raise TargetError(
                f"the schema {self._schema} stays in the database that was lent: {str(error).strip()}; "
                f"drop it: DROP SCHEMA {self._schema} CASCADE"
            ) from error


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - whether it is there is the question
    except ImportError as error:
        raise TargetError("`store: postgres` needs psycopg: pip install 'harness[postgres]'") from error
