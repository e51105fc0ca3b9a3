"""What a stopped deployment must not have left: processes, pid files, taken ports, sockets, an unreadable store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.history.records import Audit
from harness.lifecycle import postconditions

Found = tuple[int, list[dict[str, Any]]]
Search = Callable[[], Found]


async def until_gone(search: Search, deadline: float) -> Found:
    """Search again until nothing is found or it is `deadline` (loop time): what is on its way out is no left-over."""
    loop = asyncio.get_running_loop()
    while True:
        looked_at, found = await asyncio.to_thread(search)
        if not found or loop.time() >= deadline:
            return looked_at, found
        await asyncio.sleep(0.05)


async def audit(
    scope: str,
    now: Callable[[], float],
    *,
    run: str,
    started: int,
    directories: Sequence[Path],
    ports: Sequence[int],
    problems: Callable[[], Found | None],
    timeout: float,
    threads: bool = False,
    killed: bool = False,
) -> list[Audit]:
    """Every search once; `ports` are those the deployment listened on, `run` is the tag of its processes. Of these
    `started` were seen to come: where there was none, nobody can have stayed, and nothing is proven.

    `directories` are those of its governors, `problems` looks at the store.

    `threads`: its governor has no other processes; `killed`: it was, so that nobody could put away what names it.

    All of them together wait `timeout` seconds for things to go.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    searches: list[tuple[str, Search]] = [
        ("processes", lambda: (started, postconditions.tagged_processes(run)[1])),
        ("pidfiles", lambda: _all([pid_files(one, threads=threads, killed=killed) for one in directories])),
        ("ports", lambda: postconditions.bound_ports(ports)),
    ]
    if await asyncio.to_thread(problems) is not None:
        searches.append(("store", lambda: problems() or (0, [])))
    audits = []
    for name, search in searches:
        looked_at, found = await until_gone(search, deadline)
        audits.append(Audit(at=now(), name=name, scope=scope, looked_at=looked_at, found=tuple(found)))
    return audits


def _all(found: Sequence[Found]) -> Found:
    return sum(looked_at for looked_at, _ in found), [one for _, some in found for one in some]


def pid_files(directory: Path, *, threads: bool, killed: bool) -> Found:
    """Files of a deployment that still name a process: those of its services, and ``governor.json`` after a clean stop.

    Threads have no such files: of a governor that runs all in threads the deployment's folder is what is looked at.
    """
    looked_at, found = postconditions.pid_files(directory / "pids")
    if threads:
        looked_at += directory.is_dir()
    if not killed:
        found += postconditions.pid_files(directory, "governor.json")[1]
    return looked_at, found


def store_problems(database: Path) -> Found:
    """What SQLite's own integrity check says about the store; an empty list when it is sound."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5.0)
    try:
        rows = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        rows = [f"{type(error).__name__}: {error}"]
    finally:
        connection.close()
    return 1, [{"problem": text} for text in rows if text != "ok"]
