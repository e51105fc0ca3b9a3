"""What the scheduler's processes wrote down, as records of the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.agent import journal
from harness.history.records import Execution, Job

ToScenario = Callable[[float], float]
"""Turns a reading of the monotonic clock into scenario time, both in seconds."""
Line = Mapping[str, Any]


def read(paths: Iterable[Path], pending: Iterable[Line], to_scenario: ToScenario) -> Iterator[Job | Execution]:
    """Jobs and executions of all lives of the scheduler; `pending` are the jobs its store held at the end.

    What is known of a job is taken from the last line about it: released, else acquired, else waiting.
    """
    jobs: dict[str, Job] = {}
    for path in paths:
        running: dict[str, Line] = {}
        for line in journal.read(path):
            match line["kind"]:
                case "begin":
                    running[line["job"]] = line
                case "end":
                    if begun := running.pop(line["job"], None):
                        yield _execution(begun, line, to_scenario)
                case "acquired" | "released":
                    jobs[line["job"]] = _job(line, to_scenario, jobs.get(line["job"]))
        yield from (_execution(begun, None, to_scenario) for begun in running.values())
    for held in pending:
        jobs.setdefault(held["job"], _job(held, to_scenario, None))
    yield from jobs.values()


def _execution(begun: Line, ended: Line | None, to_scenario: ToScenario) -> Execution:
    start = to_scenario(begun["mono"])
    end = None if ended is None else to_scenario(ended["mono"])
    return Execution(
        at=start if end is None else end,
        handler=begun["task"],
        request_id=begun["job"],
        method="",
        start=start,
        end=end,
        outcome="" if ended is None else "ok" if ended["ok"] else "error",
    )


def _job(line: Line, to_scenario: ToScenario, before: Job | None) -> Job:
    def when(micros: int | None) -> float | None:
        return None if micros is None else to_scenario(line["read"] + (micros - line["wall"]) / 1e6)

    started = when(line.get("started"))
    attempt = before is None or line["kind"] == "acquired"
    return Job(
        at=to_scenario(line["mono"]),
        job_id=line["job"],
        handler=line["task"],
        method="",
        schedule_id=line["schedule"] or "",
        scheduled_for=when(line["scheduled"]),
        started=started if started is not None or before is None else before.started,
        ended=when(line.get("ended")),
        attempts=(before.attempts if before else 0) + attempt,
        outcome=line.get("outcome", ""),
        error=line.get("error", ""),
    )
