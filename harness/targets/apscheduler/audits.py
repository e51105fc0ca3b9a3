"""What a scheduler that was stopped must not have left, and how large one is that lives."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from harness.history.records import Audit
from harness.lifecycle.postconditions import tagged_processes

Found = tuple[int, list[dict[str, Any]]]


async def audit(
    scope: str, now: Callable[[], float], *, run: str, database: Path | None, timeout: float
) -> list[Audit]:
    """Look for processes of the run `run` for up to `timeout` seconds, then into the store."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        looked_at, found = await asyncio.to_thread(tagged_processes, run)
        if not found or loop.time() >= deadline:
            break
        await asyncio.sleep(0.05)
    audits = [Audit(at=now(), name="processes", scope=scope, looked_at=looked_at, found=tuple(found))]
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


def sizes(name: str, pid: int) -> dict[str, float]:
    """Memory (bytes), descriptors and threads of a process, as samples at the place `name`; nothing when it is gone."""
    numbers: dict[str, float] = {}
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        with process.oneshot():
            numbers[f"fds@{name}"] = float(process.num_fds())
            numbers[f"threads@{name}"] = float(process.num_threads())
            # Last: nobody knows how much memory a simulated process would need.
            numbers[f"rss@{name}"] = float(process.memory_info().rss)
    return numbers
