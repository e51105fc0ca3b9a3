"""A job whose handler is restarted under it: server and handlers together, in both worlds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.sim.world import World
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.handler_registry import RegistryManager
from schedule_zero.job_executor import JobCall, JobExecutor, RetryPolicy

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.sim]
RETRY = RetryPolicy(attempts=20, base=0.05, factor=1.0, jitter=0.0)


@pytest.fixture(params=["real", "sim"], autouse=True)
def simulated(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same body, once over libzmq and once over the simulation."""
    with World(seed=1) if request.param == "sim" else contextlib.nullcontext():
        yield


async def execute(handler: Any, call: JobCall, meanwhile: Callable[[RegistryManager], Any]) -> ExecutionRecord:
    """Execute a call at a registered handler, while something happens to that as soon as the call runs."""
    log = ExecutionLog(":memory:")
    await log.start()
    registry = RegistryManager()
    executor = JobExecutor(registry, log)
    try:
        registry.register("w", handler.address, handler.methods, incarnation=handler.incarnation)
        async with asyncio.timeout(30.0):
            task = asyncio.create_task(executor.run(call))
            while not handler.runs:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(meanwhile, registry)
            return await task
    finally:
        executor.close()
        await asyncio.to_thread(registry.close)
        await log.close()


def test_a_handler_that_was_restarted_may_have_done_the_work_twice(worker_class: Any) -> None:
    """The call that was under way at the restart and its repetition are told apart, and the second is marked."""
    before, after = worker_class("w"), worker_class("w")
    after.gate.set()

    def restart(registry: RegistryManager) -> None:
        # The old one hangs in its call, as one that was killed would; the new one takes its place.
        after.start()
        registry.register("w", after.address, after.methods, incarnation=after.incarnation)

    before.start()
    try:
        call = JobCall("j", "w", "wait_for_gate", {"n": 5}, timeout=20.0, policy=RETRY)
        record = asyncio.run(execute(before, call, restart))
    finally:
        before.gate.set()
        before.stop()
        after.stop()
    assert (record.outcome, record.result, before.runs, after.runs) == (Outcome.SUCCESS, 5, [5], [5])
    assert [(attempt.incarnation, attempt.maybe_again) for attempt in record.attempts] == [
        (before.incarnation, False),
        (after.incarnation, True),
    ]


def test_a_handler_that_was_slow_has_done_the_work_once(worker_class: Any) -> None:
    """A repetition that joins the running call is no second run, and is not marked."""
    worker = worker_class("w")

    def let_go_when_repeated(_: RegistryManager) -> None:
        while not worker.stats.joined:
            time.sleep(0.005)
        worker.gate.set()

    with worker:
        call = JobCall("j", "w", "wait_for_gate", {"n": 5}, timeout=0.2, policy=RETRY)
        record = asyncio.run(execute(worker, call, let_go_when_repeated))
    assert (record.outcome, worker.runs) == (Outcome.SUCCESS, [5])
    assert len(record.attempts) >= 2
    assert {(attempt.incarnation, attempt.maybe_again) for attempt in record.attempts} == {(worker.incarnation, False)}
