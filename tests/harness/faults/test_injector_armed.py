"""Faults that wait inside a process: armed, struck or not, and armed again in its successor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.faults.zmq_state import ZmqState
from harness.history.records import Fault as FaultRecord
from harness.targets.base import Place, PlaceKind


def test_an_armed_agent_that_never_struck_is_skipped_and_one_that_did_is_injected(stage: Any, agent: Any) -> None:
    """Where the process itself waits for the event, the record follows what the agent says in the end."""
    target = stage.target(Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address))
    fault = {
        "id": "f",
        "kind": ZmqState.kind,
        "where": "scheduler.req",
        "how": "recv-first",
        "when": {"event": "job.sent", "nth": 5},
    }

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: agent.armed)
        assert injector.active == ()

    records = stage.play([fault], body, target=target)
    assert stage.life(records) == ["armed", "injected", "healed"]
    assert records[1].detail == {"struck": 3}
    agent.strikes = 0
    records = stage.play([fault], body, target=target)
    assert stage.life(records) == ["armed", "skipped"]
    assert records[-1].detail["reason"] == "armed, but it never struck: job.sent did not come often enough"


def test_a_process_that_was_started_again_is_armed_again(stage: Any, agent: Any, spawn: Any) -> None:
    """The successor of an armed process knows nothing of it, so it is armed too; with several, one arming is
    enough.
    """
    first, second = spawn(), spawn()
    sockets = [
        Place(PlaceKind.SOCKET, "scheduler.req", "sockets", pid=child.pid, control=agent.address)
        for child in (first, second)
    ]
    target = stage.target(sockets[0])
    when = {"event": "job.sent", "nth": 5}
    fault = {"id": "f", "kind": ZmqState.kind, "where": "scheduler.req", "how": "recv-first", "when": when}

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: agent.armings == 1)
        target.here = [sockets[1]]
        await stage.until(lambda: agent.armings == 2)

    stage.play([fault], body, target=target)
    assert agent.armed == {}


def test_an_armed_fault_is_injected_and_healed_when_it_struck(stage: Any, agent: Any) -> None:
    """What an agent tells of the times of its strikes is what the record says: injected at the first, over with the
    last."""
    target = stage.target(Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address))
    fault = {
        "id": "f",
        "kind": ZmqState.kind,
        "where": "scheduler.req",
        "how": "recv-first",
        "when": {"event": "job.sent", "nth": 5},
    }
    at: list[float] = []
    agent.server.tell("struck", lambda: {"f@scheduler.req": at})
    agent.server.command("disarm", lambda id: {"struck": len(at), "at": at})

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: agent.armed)
        struck = recorder.clock()
        at.extend([struck, struck + 0.01])
        await stage.until(lambda: injector.active == ("f@scheduler.req",))
        await asyncio.sleep(0.1)

    records = stage.play([fault], body, target=target)

    armed, injected, healed = [r for r in records if isinstance(r, FaultRecord)]
    assert [r.event.value for r in (armed, injected, healed)] == ["armed", "injected", "healed"]
    assert healed.at - injected.at == pytest.approx(0.01, abs=0.002)
    assert healed.detail == {"struck": 2, "strikes": [injected.at, healed.at]}


@pytest.mark.slow
@pytest.mark.parametrize(("options", "over"), [({"times": 2}, True), ({"times": 3}, False), ({}, False)])
def test_a_fault_whose_strikes_are_used_up_is_healed_with_the_last(
    stage: Any, agent: Any, options: dict[str, int], over: bool
) -> None:
    """Who waits for its heal need not wait for the end of the run; one with strikes left stays armed."""
    fault = {
        "id": "f",
        "kind": ZmqState.kind,
        "where": "scheduler.req",
        "how": "recv-first",
        "when": {"event": "job.sent", "odds": "100%"},
        **options,
    }
    at: list[float] = []
    agent.server.tell("struck", lambda: {"f@scheduler.req": at})
    agent.server.command("disarm", lambda id: {"struck": len(at), "at": at})
    healed_early = []

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: agent.armed)
        at.extend([recorder.clock(), recorder.clock()])
        await stage.until(lambda: "+g@h1" in stage.journal or injector.active == ("f@scheduler.req",))
        await asyncio.sleep(0.4)
        healed_early.append("+g@h1" in stage.journal)

    target = stage.target(
        Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address), Place(PlaceKind.HANDLER, "h1", "handlers")
    )
    records = stage.play([fault, stage.note("g", after="f.heal")], body, target=target)

    assert stage.life(records) == ["armed", "injected", "healed"]
    assert healed_early == [over]
