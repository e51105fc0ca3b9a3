"""The open loop reaches thousands of calls a second on a real clock."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from harness.history.recorder import Recorder
from harness.history.records import Drop, Operation
from harness.scenario.model import Workload
from harness.targets.base import Target
from harness.workload.driver import drive
from harness.workload.fine_loop import new_event_loop
from harness.workload.payloads import Payloads

pytestmark = [pytest.mark.load, pytest.mark.integration]


def test_two_thousand_calls_a_second_are_all_made(target: Any, streams: Any) -> None:
    """2,000/s for 1 s against answers after 5 ms: every arrival became a call, intended to the microsecond."""
    spec = {
        "id": "w",
        "op": "x",
        "rate": "2000/s",
        "for": "1s",
        "in_flight": {"max": 2000},
        "with": {"handler": "h*"},
    }

    async def main() -> tuple[Operation, ...]:
        recorder = Recorder()
        recorder.begin_run()
        await drive(
            Workload.model_validate(spec),
            cast(Target, target(0.005)),
            recorder,
            payloads=Payloads(streams, ("h1", "h2")),
            streams=streams,
            stop=asyncio.Event(),
        )
        history = recorder.close()
        assert history.of(Drop) == ()
        return history.of(Operation)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        operations = runner.run(main())
    first = min(o.intended for o in operations)

    assert len(operations) == 2000
    assert sorted(round(o.intended - first, 5) for o in operations) == [round(k / 2000, 5) for k in range(2000)]
    assert all(o.start >= o.intended - 1e-4 for o in operations)
