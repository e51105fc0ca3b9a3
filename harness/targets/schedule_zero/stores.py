"""Where a deployment keeps its schedules and jobs, as the harness sees it: a file, a PostgreSQL, or its memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from harness.history.records import Job
from harness.targets.schedule_zero import records
from harness.targets.schedule_zero.audits import Found, store_problems
from harness.targets.schedule_zero.options import SchedulerOptions
from harness.targets.schedule_zero.records import ToScenario


class Store(Protocol):
    """The store of one run."""

    durable: bool
    """Whether what it holds survives the scheduler's processes."""
    file: Path | None
    """What a fault on the store acts on."""
    variables: Mapping[str, str]
    """What the scheduler's environment says of it, beyond its configuration."""

    def open(self) -> None:
        """Have it ready for the scheduler; blocks. A second call does nothing. Raises `TargetError`."""

    def jobs(self, to_scenario: ToScenario) -> Iterable[Job]:
        """Every job it knows."""

    def backlog(self) -> int | None:
        """How many accepted jobs it still holds; None when it cannot be read right now."""

    def problems(self) -> Found | None:
        """What its own check of integrity says; None when there is nothing to look at."""

    def close(self) -> None:
        """Give up what was made for the run; a second call does nothing. Raises `TargetError` when some of it stays."""


class SqliteStore:
    """A file."""

    durable = True
    variables: Mapping[str, str] = {}

    def __init__(self, path: Path) -> None:
        self.file: Path | None = path
        self._path = path

    def open(self) -> None:
        """The scheduler makes it."""

    def jobs(self, to_scenario: ToScenario) -> Iterable[Job]:
        """Read from the file."""
        return records.read_jobs(self._path, to_scenario)

    def backlog(self) -> int | None:
        """Counted in the file."""
        return records.backlog(self._path)

    def problems(self) -> Found | None:
        """SQLite's own check; None before there is a file."""
        return store_problems(self._path) if self._path.exists() else None

    def close(self) -> None:
        """It stays, in the folder of the run."""


class MemoryStore:
    """Nothing that anybody could look at: the scheduler tells of it over its API (see `memory`)."""

    durable = False
    file: Path | None = None
    variables: Mapping[str, str] = {}

    def open(self) -> None:
        """Nothing to do."""

    def jobs(self, to_scenario: ToScenario) -> Iterable[Job]:
        """None."""
        return ()

    def backlog(self) -> int | None:
        """Not known here."""
        return None

    def problems(self) -> Found | None:
        """Nothing to look at."""
        return None

    def close(self) -> None:
        """Nothing to do."""


def store_of(options: SchedulerOptions, root: Path, run: str) -> Store:
    """The store that the options ask for; files lie below `root`, and `run` names the run."""
    if options.store == "postgres":
        from harness.targets.schedule_zero.postgres_store import PostgresStore

        return PostgresStore(options.database_url, run)
    return SqliteStore(root / "jobs.db") if options.store == "sqlite" else MemoryStore()
