"""What the scheduler and its handlers themselves recorded, as records of the history.

Read from the files, after the stop, and with this module's own SQL: a scheduler that misreports over its API, or reads
its own log wrongly, is not asked to testify for itself.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.agent import journal
from harness.agent.digest import digest
from harness.history.records import Event, Execution, Job

ToScenario = Callable[[float], float]
"""Turns a reading of the monotonic clock into scenario time, both in seconds."""

_EXECUTIONS = """
    SELECT job_id, handler_id, method, schedule_id, scheduled_for, started_at, ended_at, attempts, outcome, error,
        result
    FROM executions ORDER BY coalesce(ended_at, started_at, 0), job_id"""
_JOBS = """
    SELECT id, task_id, schedule_id, scheduled_fire FROM jobs
    WHERE id NOT IN (SELECT job_id FROM executions) ORDER BY seq"""


def read_jobs(database: Path, to_scenario: ToScenario) -> Iterator[Job]:
    """Every job the store knows: those with an outcome, those begun, and those still waiting."""
    if not database.exists():
        return
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5.0)
    try:
        yield from jobs_of(connection, to_scenario)
    finally:
        connection.close()


def jobs_of(connection: Any, to_scenario: ToScenario) -> Iterator[Job]:
    """Every job of a store, by a connection to its database, whichever that is."""
    offset = time.monotonic() - time.time()

    def when(micros: int | None) -> float | None:
        return None if micros is None else to_scenario(micros / 1e6 + offset)

    for row in connection.execute(_EXECUTIONS):
        yield _finished(row, when)
    for job_id, task_id, schedule_id, scheduled in connection.execute(_JOBS):
        handler = str(task_id).partition(":")[2] or str(task_id)
        yield Job(
            at=to_scenario(time.monotonic()),
            job_id=job_id,
            handler=handler,
            method="",
            schedule_id=schedule_id or "",
            scheduled_for=when(scheduled),
        )


def _finished(row: tuple[Any, ...], when: Callable[[int | None], float | None]) -> Job:
    job_id, handler, method, schedule_id, scheduled, started, ended, attempts, outcome, error, result = row
    end = when(ended)
    return Job(
        at=end if end is not None else (when(started) or 0.0),
        job_id=job_id,
        handler=handler,
        method=method,
        schedule_id=schedule_id or "",
        scheduled_for=when(scheduled),
        started=when(started),
        ended=end,
        attempts=len(json.loads(attempts or "[]")),
        outcome=outcome or "",
        error=error or "",
        result="" if result is None else digest(json.loads(result)),
    )


def backlog(database: Path) -> int | None:
    """How many accepted jobs the store still holds; None when it cannot be read right now."""
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0.5)
        try:
            return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return None


def read_journals(folder: Path, to_scenario: ToScenario) -> Iterator[Execution | Event]:
    """What the agents wrote: executions as the handlers saw them, events, strikes of armed faults."""
    for path in sorted(folder.glob("*.jsonl")):
        yield from _read_journal(path, int(path.stem), to_scenario)


def _read_journal(path: Path, pid: int, to_scenario: ToScenario) -> Iterator[Execution | Event]:
    # A list for each request: the same one running twice at once is just what a check must be able to see.
    running: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in journal.read(path):
        at = to_scenario(line["mono"])
        match line["kind"]:
            case "begin":
                running[line["handler"], line["request_id"]].append(line)
            case "call":
                # Of runs of one request at once, the youngest that has told nothing yet is the one that tells.
                for begun in reversed(running[line["handler"], line["request_id"]]):
                    if "params" not in begun:
                        begun |= {"params": line["params"], "result": line["result"]}
                        break
            case "end":
                if waiting := running[line["handler"], line["request_id"]]:
                    yield _execution(waiting.pop(0), pid, to_scenario, end=at, ok=line["ok"])
            case "event":
                yield Event(at=at, name=line["name"], place=line["place"], detail=line["detail"])
            case "fault":
                detail = {"how": line["how"], "method": line["method"]}
                yield Event(at=at, name="fault-struck", place=line["place"], detail={"fault": line["id"], **detail})
    for unfinished in running.values():
        for begun_line in unfinished:
            yield _execution(begun_line, pid, to_scenario, end=None, ok=None)


def _execution(
    begun: dict[str, Any], pid: int, to_scenario: ToScenario, *, end: float | None, ok: bool | None
) -> Execution:
    start = to_scenario(begun["mono"])
    outcome = "" if ok is None else "ok" if ok else "error"
    return Execution(
        at=start if end is None else end,
        handler=begun["handler"],
        request_id=begun["request_id"],
        method=begun["method"],
        start=start,
        end=end,
        outcome=outcome,
        pid=pid,
        params=begun.get("params", ""),
        result=begun.get("result", ""),
    )
