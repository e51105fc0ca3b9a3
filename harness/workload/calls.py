"""The calls of one workload that are under way, each of which ends in exactly one `Operation`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.agent.digest import digest
from harness.history.recorder import Recorder
from harness.history.records import Drop, Operation, Status
from harness.targets.base import Reply, Target


@dataclass(slots=True)
class _Open:
    """One call that has not ended; times are the loop's clock, ``start`` is the intended time until it
    starts.
    """

    place: str
    intended: float
    start: float
    measured: bool
    params: str
    task: asyncio.Task[None] | None = None


def _params(args: Mapping[str, Any]) -> str:
    """The digest of the parameters that a handler is to be called with; empty when no handler is."""
    return digest(args.get("params") or {}) if "handler" in args else ""


class Calls:
    """Makes the calls of one workload and records how each ended.

    `on_start` is told the loop's time of every start with its intended time, `on_end` that a call has ended.
    Whatever a target does (raise, get itself cancelled, never return), each call ends in one `Operation`.
    """

    def __init__(
        self, workload: str, op: str, timeout: float, target: Target, recorder: Recorder, *,
        on_start: Callable[[float, float], None] = lambda intended, start: None,
        on_end: Callable[[], None] = lambda: None,
        ids: Iterator[int] | None = None,
    ) -> None:
        self._workload = workload
        self._op = op
        self._timeout = timeout
        self._target = target
        self._recorder = recorder
        self._on_start = on_start
        self._on_end = on_end
        self._ids = itertools.count(1) if ids is None else ids
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, _Open] = {}
        self.zero = self._loop.time() - recorder.now()
        """The loop's time at scenario time 0."""

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        return len(self._open)

    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks of the calls that have not ended, oldest first."""
        return [call.task for call in self._open.values() if call.task is not None]

    def send(self, args: Mapping[str, Any], intended: float, measured: bool = True) -> asyncio.Task[None]:
        """Start a call; it runs by itself."""
        number = next(self._ids)
        call = self._open[number] = _Open(str(args.get("handler", "")), intended, intended, measured, _params(args))
        call.task = self._loop.create_task(self._run(number, call, args))
        return call.task

    async def make(self, args: Mapping[str, Any]) -> Operation:
        """Make one call right now, wait for it, and return what was recorded."""
        number, now = next(self._ids), self._loop.time()
        call = self._open[number] = _Open(str(args.get("handler", "")), now, now, True, _params(args))
        return self._end(number, call, await self._ask(args))

    def drop(self, intended: float, measured: bool) -> None:
        """Record an arrival that was not sent."""
        now = self._recorder.now()
        self._recorder.append(
            Drop(at=now, workload=self._workload, intended=self._scenario(intended), measured=measured)
        )

    def abandon(self, why: str) -> None:
        """Record every call that has not ended as `Status.INFO` (it may still take effect) and cancel it."""
        for number, call in list(self._open.items()):
            self._end(number, call, Reply(Status.INFO, error=why))
            if call.task is not None:
                call.task.cancel()

    async def _run(self, number: int, call: _Open, args: Mapping[str, Any]) -> None:
        call.start = self._loop.time()
        self._on_start(call.intended, call.start)
        try:
            reply = await self._ask(args)
        except asyncio.CancelledError:
            # By `abandon`, which has recorded it, or by the target (closing a zmq.asyncio socket cancels its
            # waiters).
            if number in self._open:
                self._end(number, call, Reply(Status.INFO, error="the call was cancelled"))
            raise
        if number in self._open:
            self._end(number, call, reply)

    async def _ask(self, args: Mapping[str, Any]) -> Reply:
        try:
            return await self._target.call(self._op, args, timeout=self._timeout)
        except Exception as error:  # noqa: BLE001 - a driver must not raise; if it does, that is evidence, not the end of the load
            return Reply(Status.INFO, error=f"the driver raised {type(error).__name__}: {error}")

    def _end(self, number: int, call: _Open, reply: Reply) -> Operation:
        del self._open[number]
        end = self._scenario(self._loop.time())
        operation = Operation(
            at=end, id=number, workload=self._workload, op=self._op, place=call.place, end=end,
            intended=self._scenario(call.intended), start=self._scenario(call.start), measured=call.measured,
            status=reply.status, ref=reply.ref, error=reply.error, params=call.params,
        )
        self._recorder.append(operation)
        self._on_end()
        return operation

    def _scenario(self, loop_time: float) -> float:
        return round(loop_time - self.zero, 6)
