"""A deployment whose server and handlers are threads of its governor: one process, and the same answers."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from harness.history.recorder import Recorder
from harness.history.records import Audit, Status
from harness.scenario.model import Scenario
from harness.targets.base import Place, PlaceKind, TargetContext
from harness.targets.schedule_zero.driver import ScheduleZeroDriver, ScheduleZeroTarget

pytestmark = pytest.mark.integration

SCENARIO = Scenario.model_validate(
    {
        "scenario": 1,
        "name": "t",
        "kind": "regression",
        "target": {"driver": "schedule_zero", "governor": {"kind": "thread"}},
        "topology": {"handlers": {"name": "h{n}", "count": 2}},
        "given": [{"op": "health.check"}],
    }
)


async def played(target: ScheduleZeroTarget) -> tuple[list[Place], Status, dict[str, Audit]]:
    """Its places while it ran, how a job went, and what was searched for by name."""
    await target.start()
    places = list(target.places())
    reply = await target.call("job.submit", {"handler": "h2", "method": "echo"}, timeout=10.0)
    living = [found for found in await target.collect() if isinstance(found, Audit)]
    assert (await target.stop(timeout=15.0)).code == 0
    left = [found for found in await target.audit("final") if isinstance(found, Audit)]
    return places, reply.status, {audit.name: audit for audit in (*living, *left)}


def test_one_process_is_all_there_is_and_every_search_looks_at_something(tmp_path: Path) -> None:
    """No handler can be killed alone, and no search is without a result for want of pid files or of a server's pid."""

    async def play() -> tuple[list[Place], Status, dict[str, Audit]]:
        recorder = Recorder()
        recorder.begin_run()
        target = ScheduleZeroDriver().create(SCENARIO, TargetContext(tmp_path, random.Random(5), recorder))
        assert isinstance(target, ScheduleZeroTarget)
        try:
            return await played(target)
        finally:
            await target.close()

    places, status, audits = asyncio.run(play())

    assert [(place.name, place.kind) for place in places] == [
        ("governor", PlaceKind.PROCESS),
        ("scheduler.req", PlaceKind.SOCKET),
        ("store", PlaceKind.STORE),
    ]
    assert places[0].pid == places[1].pid
    assert status is Status.OK
    assert {name: (audit.looked_at > 0, audit.found) for name, audit in audits.items()} == dict.fromkeys(
        ("sockets", "processes", "pidfiles", "ports", "store", "interpreters"), (True, ())
    )
