"""A scheduler that a user's own factory makes: what a scenario may say beside it, and what is read off what it made."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apscheduler import AsyncScheduler
from apscheduler.datastores.memory import MemoryDataStore
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from sqlalchemy.ext.asyncio import create_async_engine

from harness import vocabulary
from harness.history.records import Event
from harness.scenario.loader import load_text
from harness.scenario.problems import ScenarioProblems
from harness.targets.apscheduler.target import ApschedulerTarget

Make = Callable[..., ApschedulerTarget]

SCENARIO = """\
scenario: 1
name: a
kind: regression
target: {TARGET}
topology: {scheduler: {SCHEDULER}}
given: [{op: schedule.add, with: {every: 1s}}]
when: [{advance: 1s}]
then: [fires-as-modelled]
"""


def problems(target: str, scheduler: str) -> list[str]:
    """What is told of the scenario; the driver is `apscheduler`."""
    text = SCENARIO.replace("TARGET", f"driver: apscheduler{target}").replace("SCHEDULER", scheduler)
    try:
        load_text(text, "a.yaml", vocabulary=vocabulary.build())
    except ScenarioProblems as error:
        return str(error).splitlines()
    return []


@pytest.mark.unit
@pytest.mark.parametrize(
    "given", ["store: sqlite", "identity: me", "lease: 3s", "max_jobs: 1", "cleanup: 0s", "connections: 2"]
)
def test_keys_that_make_the_scheduler_are_refused_beside_a_factory(given: str) -> None:
    """At their place, with what there is; without the factory they are taken. The scheduler would not have been so, and
    what it did would have been judged as if it were.
    """
    key = given.partition(":")[0]

    told = problems(", factory: my:make", f"durable: true, {given}")

    assert told[0].endswith(
        f"a.yaml:5:39: topology.scheduler.{key}: `{key}` has no meaning beside `target.factory`, which decides it"
    )
    assert told[1:3] == [
        f"     5 | topology: {{scheduler: {{durable: true, {given}}}}}",
        "       |                                       ^",
    ]
    assert told[3].strip().startswith("expected: at most `durable`, `misfire_grace`")
    assert len(told) == 4
    assert problems("", given) == []


@pytest.mark.unit
def test_keys_that_a_factory_does_not_decide_are_taken_beside_it() -> None:
    """`durable` is what a user knows better, `misfire_grace` is given to schedules; an empty factory is none."""
    assert problems(", factory: my:make", "durable: false, misfire_grace: 1s") == []
    assert problems(", factory: ''", "store: sqlite") == []


def in_a_file(folder: Path) -> AsyncScheduler:
    """A durable store of the user's own."""
    return AsyncScheduler(_sqlite(f"sqlite+aiosqlite:///{folder}/mine.db"), identity="mine", max_concurrent_jobs=3)


def in_sqlites_memory() -> AsyncScheduler:
    """A store of the same kind that lasts no longer than its process."""
    return AsyncScheduler(_sqlite("sqlite+aiosqlite:///:memory:"), identity="mine", max_concurrent_jobs=4)


def in_memory() -> AsyncScheduler:
    """APScheduler's own."""
    return AsyncScheduler(MemoryDataStore(), identity="mine", max_concurrent_jobs=5)


def _sqlite(url: str) -> SQLAlchemyDataStore:
    return SQLAlchemyDataStore(create_async_engine(url))


def lived(target: ApschedulerTarget) -> tuple[int, bool]:
    """What was told of the scheduler when it was up, then down: how many jobs at once, and whether it is durable."""

    async def whole() -> None:
        try:
            await target.start()
            await target.stop()
        finally:
            await target.close()

    asyncio.run(whole())
    events = {record.name: record for record in target._recorder.snapshot().records if isinstance(record, Event)}
    return events["scheduler-up"].detail["max_jobs"], events["scheduler-down"].detail["durable"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("factory", "scheduler", "found"),
    [
        (in_a_file, {}, (3, True)),
        (in_sqlites_memory, {}, (4, False)),
        (in_memory, {}, (5, False)),
        (in_a_file, {"durable": False}, (3, False)),
        (in_memory, {"durable": True}, (5, True)),
    ],
)
def test_what_the_factory_made_tells_what_it_is_judged_by(
    make: Make, monkeypatch: pytest.MonkeyPatch, factory: Any, scheduler: dict[str, Any], found: tuple[int, bool]
) -> None:
    """Its data store, whether its schedules outlive it, unless the scenario says so itself; and its slots."""
    module = types.ModuleType("my_scheduler")
    module.make = factory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_scheduler", module)

    assert lived(make(host="thread", factory="my_scheduler:make", store="", scheduler=scheduler)) == found


@pytest.mark.integration
@pytest.mark.parametrize(("store", "found"), [("memory", (2, False)), ("sqlite", (2, True))])
def test_a_scheduler_made_by_options_tells_the_same(make: Make, store: str, found: tuple[int, bool]) -> None:
    """In a process of its own as well: it is told over the link."""
    assert lived(make(host="process", store=store, scheduler={"max_jobs": 2})) == found
