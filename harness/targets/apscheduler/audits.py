"""What a scheduler that was stopped must not have left."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.history.records import Audit
from harness.lifecycle.postconditions import tagged_processes

Found = tuple[int, list[dict[str, Any]]]


async def audit(
    scope: str, now: Callable[[], float], *, run: str, lives: int, database: Path | None, timeout: float
) -> list[Audit]:
    """Look for processes of the run `run` for up to `timeout` seconds, then into the store. The scheduler was started
    `lives` times: where it never was, nobody can have stayed, and nothing is proven.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        _, found = await asyncio.to_thread(tagged_processes, run)
        if not found or loop.time() >= deadline:
            break
        await asyncio.sleep(0.05)
    audits = [Audit(at=now(), name="processes", scope=scope, looked_at=lives, found=tuple(found))]
    if database is not None and database.exists():
        looked_at, found = await asyncio.to_thread(store_problems, database)
        audits.append(Audit(at=now(), name="store", scope=scope, looked_at=looked_at, found=tuple(found)))
    return audits


def store_problems(database: Path) -> Found:
    """What SQLite's own integrity check says; an empty list when the store is sound.

    Opened for writing, so that SQLite rolls back what a killed scheduler left half done.
    """
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=5.0)) as connection:
            rows = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        rows = [f"{type(error).__name__}: {error}"]
    return 1, [{"problem": text} for text in rows if text != "ok"]
