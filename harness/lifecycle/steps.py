"""Playing one step of a life cycle: what it does, until when it may take, and the evidence it leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from harness.agent.digest import digest
from harness.errors import HarnessError, NeverReady, UsageError
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.faults.run_surroundings import RunSurroundings
from harness.faults.selectors import select
from harness.faults.worker import TooLong, in_thread
from harness.history.recorder import Recorder
from harness.history.records import Operation, Status
from harness.lifecycle.base import Lifecycle
from harness.scenario.model import CycleStep, OpStep, StopStep, Wait
from harness.targets.base import Place, PlaceKind, StopHow

Detail = dict[str, Any]
LIMIT = 120.0
"""Seconds a step without a time of its own may take."""
GRACE = 10.0
"""Seconds beyond its own time-out that a stop may take to use force."""
_LOOK_AGAIN = 0.05


class Draws(Protocol):
    """Makes the arguments of calls (`harness.workload.payloads.Payloads`)."""

    def draw(self, workload: str, args: Mapping[str, Any], /) -> dict[str, Any]:
        """The arguments of the next call."""


class Steps:
    """Plays steps on one `Lifecycle`; knows which handlers should be there, and whether it is up.

    `play` raises whatever made the step fail: an error of the target, or `TimeoutError` that says what took too
    long.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        recorder: Recorder,
        rng: random.Random,
        handlers: Sequence[str] = (),
        *,
        payloads: Draws | None = None,
    ) -> None:
        self._lifecycle = lifecycle
        self._recorder = recorder
        self._rng = rng
        self._payloads = payloads
        self._all = tuple(handlers)
        self._present = list(handlers)
        self._crashed: dict[str, int] = {}
        self._calls = 0
        self.up = False

    async def play(self, step: CycleStep) -> Detail:
        """Do what the step says; returns the details for its record."""
        if step.do is not None:
            return await {"start": self.start, "stop": self.stop, "restart": self.restart}[step.do]()
        if step.stop is not None:
            return await self.stop(step.stop)
        if step.wait is not None:
            return await self._wait(step.wait)
        if step.call is not None:
            return await self._call(step.call)
        return await self._handler_step(step)

    async def start(self) -> Detail:
        """Start everything; what was removed before is there again."""
        self.up = True  # from here on there may be something to clean up, whatever comes of it
        self._crashed.clear()
        await _within(LIMIT, self._lifecycle.start(), "the start")
        self._present = list(self._all)
        return {}

    async def stop(self, step: StopStep | None = None) -> Detail:
        """Stop by a signal or order drawn from the step's mix."""
        step = step or StopStep()
        how = StopHow(self._rng.choices(step.how, step.mix or None)[0])
        return await self.stop_by(how, step.timeout, step.times)

    async def stop_by(self, how: StopHow, timeout: float, times: int = 1) -> Detail:
        """Stop by this signal or order, sent `times` times (told where that is more than once); force after `timeout`
        seconds is a failure, told by ``forced``; that nothing ran which could be stopped, by ``idle``.
        """
        stop = self._lifecycle.stop(how, timeout=timeout, times=times)
        result = await _within(timeout + GRACE, stop, f"the stop by {how.value}")
        idle = not self.up and not result.parts
        self.up = False
        detail = {"how": how.value, "took": round(result.took, 6), "code": result.code, "forced": result.forced}
        parts = {name: asdict(end) for name, end in result.parts.items()}
        detail |= {"times": times} if times > 1 else {}
        return {**detail, **({"parts": parts} if parts else {}), **({"idle": True} if idle else {})}

    async def restart(self) -> Detail:
        """Stop, then start."""
        return {**await self.stop(), **await self.start()}

    async def _handler_step(self, step: CycleStep) -> Detail:
        if step.add is not None:
            name = self._choose(step.add, [n for n in self._all if n not in self._present] or [step.add])
            await _within(LIMIT, self._lifecycle.add_handler(name), f"adding {name}")
            self._present += [name] if name not in self._present else []
        elif step.remove is not None:
            name = self._choose(step.remove, self._present)
            await _within(LIMIT, self._lifecycle.remove_handler(name), f"removing {name}")
            self._present.remove(name)
        elif step.bounce is not None:
            name = self._choose(step.bounce, self._present)
            await _within(LIMIT, self._lifecycle.restart_handler(name), f"restarting {name}")
        elif step.crash is not None:
            return await self._crash(step.crash)
        else:
            raise UsageError(
                "a step of a cycle does nothing: give start, stop, restart, wait, op, add, remove, bounce or "
                "crash"
            )
        return {"handler": name}

    def _choose(self, where: str, among: Sequence[str]) -> str:
        places = [Place(PlaceKind.HANDLER, name, "handlers") for name in among]
        return self._rng.choice(select(where, places, self._rng)).name

    async def _crash(self, where: str) -> Detail:
        """Kill a process; it is expected to come back, which ``wait: {until: ready}`` waits for."""
        surroundings = RunSurroundings(self._lifecycle, asyncio.get_running_loop())
        found = select(where, await self._places(), self._rng, accepts=ProcessKill.accepts)
        place = self._rng.choice(found)
        kill = ProcessKill(place, KillArgs(), fault_id=f"crash {place.name}", surroundings=surroundings)
        detail = await in_thread(kill.inject, timeout=kill.deadline, name=kill.fault_id)
        self._crashed[place.name] = place.pid
        return {"handler": place.name, **detail}

    async def _wait(self, wait: Wait) -> Detail:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait.within
        looks: Callable[[], Awaitable[str]] = self._missing if wait.until == "ready" else self._left
        while lacking := await _within(wait.within + GRACE, looks(), "the answer to a probe"):
            if loop.time() >= deadline:
                raise NeverReady(f"waited {wait.within:g} s for it to be {wait.until}: {lacking}")
            await asyncio.sleep(_LOOK_AGAIN)
        return {"until": wait.until}

    async def _missing(self) -> str:
        """What it still lacks of being ready; empty when it lacks nothing."""
        seen = (await self._lifecycle.probe()).get("registered-handlers")
        living = {place.name: place.pid for place in await self._places() if place.pid}
        away = [name for name, pid in self._crashed.items() if living.get(name, pid) == pid]
        if away:
            return f"{', '.join(away)} not started again since the crash"
        if seen is None or seen < len(self._present):
            told = "no answer" if seen is None else f"{seen:g}"
            return f"{len(self._present)} registered handlers expected, seen: {told}"
        self._crashed.clear()
        return ""

    async def _places(self) -> Sequence[Place]:
        """In a thread: whatever is driven may take its time to say, or hang, and the deadlines are the loop's."""
        try:
            return await in_thread(self._lifecycle.places, timeout=LIMIT, name="a look at its processes")
        except TooLong:
            raise HarnessError(f"waited {LIMIT:g} s to be told which processes there are") from None

    async def _left(self) -> str:
        living = [f"{place.name} (pid {place.pid})" for place in await self._places() if place.pid]
        return f"still there: {', '.join(living)}" if living else ""

    async def _call(self, step: OpStep) -> Detail:
        """Make the calls one after the other; one that fails for certain fails the step."""
        count = 1 if step.count is None else self._rng.randint(step.count.low, step.count.high)
        ended: dict[str, int] = {}
        for _ in range(count):
            operation = await self._one_call(step)
            ended[operation.status.value] = ended.get(operation.status.value, 0) + 1
            if operation.status is not Status.OK:
                raise HarnessError(
                    f"{step.op} ended with {operation.status.value}: {operation.error or 'no reason given'}"
                )
        return {"op": step.op, "count": count, **ended}

    async def _one_call(self, step: OpStep) -> Operation:
        args = self._payloads.draw("cycles", step.args) if self._payloads else dict(step.args)
        begin = self._recorder.now()
        reply = await _within(
            step.timeout + GRACE, self._lifecycle.call(step.op, args, timeout=step.timeout), step.op
        )
        self._calls += 1
        end = self._recorder.now()
        operation = Operation(
            at=end,
            id=self._calls,
            workload="cycles",
            op=step.op,
            place=str(args.get("handler", "")),
            intended=begin,
            start=begin,
            end=end,
            status=reply.status,
            ref=reply.ref,
            error=reply.error,
            params=digest(args.get("params") or {}) if "handler" in args else "",
        )
        self._recorder.append(operation)
        return operation


def name_of(step: CycleStep) -> str:
    """The name of a step's record: start, stop, restart, wait, call, add, remove, bounce or crash."""
    if step.do is not None:
        return step.do
    names = ("wait", "call", "stop", "add", "remove", "bounce", "crash")
    return next((name for name in names if getattr(step, name) is not None), "nothing")


async def _within(seconds: float, work: Awaitable[Any], what: str) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise NeverReady(f"{what} was not over after {seconds:g} s") from None
