"""Playing one workload against a target: open loop, closed loop, or a number of calls once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.history.recorder import Recorder
from harness.history.records import Operation
from harness.scenario.model import Given, OpStep, Workload
from harness.targets.base import Target
from harness.workload import arrivals
from harness.workload.calls import Calls
from harness.workload.lag import LagMeter
from harness.workload.pacing import Pacer
from harness.workload.payloads import Payloads, StreamSource

GRACE: Final = 5.0
"""Seconds that calls under way may take to end after a stop."""

_MARGIN: Final = 1.0
"""Seconds beyond its own time-out that a call may take before it counts as stuck."""

_BURST: Final = 32
"""How many arrivals that are due are sent before the calls themselves get a turn."""


async def drive(
    workload: Workload, target: Target, recorder: Recorder, *,
    payloads: Payloads, streams: StreamSource, stop: asyncio.Event,
    grace: float = GRACE, ids: Iterator[int] | None = None,
) -> None:
    """Play `workload` from ``at`` (scenario time) to its end, or until `stop` is set, and record every call.

    Open model: calls start at their intended times whatever the answers, and beyond ``in_flight`` they are
    dropped and counted, or wait. Closed: each user waits for its answer. Once: the calls one after another,
    for each user. After the last arrival it waits for the answers; after a stop `grace` seconds at most. What
    has not ended then is recorded as `harness.history.records.Status.INFO`. Raises `UsageError` before the
    first call when the arguments cannot be made.

    `ids` numbers the operations; without it they are unique within this workload only.
    """
    draw = payloads.source(workload.id, workload.args)
    async with Pacer(stop) as pacer:
        meter = LagMeter(recorder, workload.id)
        play = _Play(workload, pacer, meter, draw, streams, grace)
        await play.run(target, recorder, ids)


async def call_once(
    step: Given | OpStep, target: Target, recorder: Recorder, *,
    payloads: Payloads, ids: Iterator[int] | None = None,
) -> Operation:
    """Make the one operation of a step and return what was recorded; its workload is the step's id, or its
    operation.
    """
    name = (step.id if isinstance(step, Given) else "") or step.op
    calls = Calls(name, step.op, step.timeout, target, recorder, ids=ids)
    try:
        return await calls.make(payloads.draw(name, step.args))
    finally:
        calls.abandon("the step was cut short before the call ended")


@dataclass
class _Play:
    """One workload being played."""

    workload: Workload
    pacer: Pacer
    meter: LagMeter
    draw: Callable[[], dict[str, Any]]
    streams: StreamSource
    grace: float

    async def run(self, target: Target, recorder: Recorder, ids: Iterator[int] | None) -> None:
        work, loop = self.workload, asyncio.get_running_loop()
        self.calls = Calls(
            work.id, work.op, work.timeout, target, recorder,
            on_start=self._started, on_end=self._ended, ids=ids,
        )
        self._waits = work.model == "open" and work.in_flight.over == "wait"
        self._excused = -1.0
        try:
            # Where preparing took longer than `at` allows, the whole plan moves: no burst of overdue calls at
            # the start.
            begin = max(self.calls.zero + work.at, loop.time())
            if begin > loop.time() and not await self.pacer.until(begin):
                return
            if work.model == "open":
                await self._open(begin)
                await self.pacer.gather(self.calls.tasks(), limit=work.timeout + _MARGIN, grace=self.grace)
            else:
                await self._users(begin)
        finally:
            self.calls.abandon("still under way when the workload ended")
            self.meter.finish()

    async def _open(self, begin: float) -> None:
        loop, cap = asyncio.get_running_loop(), self.workload.in_flight.max
        burst = 0
        for arrival in self._arrivals():
            due = begin + arrival.at
            burst += 1
            if due > loop.time():
                burst = 0
                if not await self.pacer.until(due):
                    return
            elif burst >= _BURST:
                burst = 0
                await asyncio.sleep(0)
            if self.pacer.stopped:
                return
            # Drawn for a drop too: the nth arrival carries the same values whatever happened before.
            args = self.draw()
            if self.calls.in_flight >= cap:
                if not self._waits:
                    self.calls.drop(due, arrival.measured)
                    continue
                if not await self._slot(cap):
                    return
            self.calls.send(args, due, arrival.measured)

    def _arrivals(self) -> Iterator[arrivals.Arrival]:
        if self.workload.arrivals == "poisson":
            return arrivals.poisson(self.workload.spans(), self.streams.stream(f"arrivals/{self.workload.id}"))
        return arrivals.constant(self.workload.spans())

    async def _slot(self, cap: int) -> bool:
        while self.calls.in_flight >= cap:
            if not await self.pacer.until(None):
                return False
        # Whatever was due before this moment is late because of the cap, not because of the generator.
        self._excused = asyncio.get_running_loop().time()
        return True

    async def _users(self, begin: float) -> None:
        """`users` callers; together they make ``count`` calls, or as many as fit into the length."""
        work = self.workload
        count = work.count if work.count is not None or work.model == "closed" else 1
        turns: Iterator[int] = itertools.count() if count is None else iter(range(count))
        until = None if work.length is None else begin + work.length
        users = [
            asyncio.create_task(self._user(number, turns, until), name=f"workload {work.id} user {number}")
            for number in range(1, work.users + 1)
        ]
        try:
            await self.pacer.gather(users, limit=None, grace=self.grace)
        finally:
            for user in users:
                user.cancel()
            await asyncio.wait(users)
        for user in users:
            if not user.cancelled():
                user.result()

    async def _user(self, number: int, turns: Iterator[int], until: float | None) -> None:
        loop, think = asyncio.get_running_loop(), self.workload.think
        rng = self.streams.stream(f"think/{self.workload.id}/{number}")
        while not self.pacer.stopped and (until is None or loop.time() < until):
            if next(turns, None) is None:
                return
            # `wait` and not `await`: a call that is cancelled by its target must not take the user with it.
            await asyncio.wait({self.calls.send(self.draw(), loop.time())})
            pause = rng.uniform(think.low, think.high) if think.high > 0 else 0.0
            if pause > 0 and not await self.pacer.until(loop.time() + pause):
                return

    def _started(self, intended: float, start: float) -> None:
        if self.workload.model == "open" and intended >= self._excused:
            self.meter.note(start - intended, start)

    def _ended(self) -> None:
        if self._waits:
            self.pacer.wake()
