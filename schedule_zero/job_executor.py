"""Calls a handler for a job, again if need be, until the job has its one outcome.

What is repeated is a failure to get an answer, always under the same request id (the job's): the handler that
did the work answers from its memory. An answer is never asked for again, unless the job wants retries on errors
too.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from schedule_zero import barriers
from schedule_zero.call_threads import CallThreads
from schedule_zero.errors import (
    CallTimeout,
    HandlerUnavailable,
    RemoteError,
    ScheduleZeroError,
    TransportError,
    UnknownHandler,
)
from schedule_zero.execution_log import Attempt, ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.job_call import JobCall, RetryPolicy, begun, broken_off, changed, located, with_broken_off
from schedule_zero.log_context import bound_log
from schedule_zero.turns import Turns
from schedule_zero.wire import ErrorCode

__all__ = ["Caller", "GivenBack", "JobCall", "JobExecutor", "Registry", "RetryPolicy"]

logger = logging.getLogger(__name__)

#: Answers that say that the call did not run.
_NOT_RUN = frozenset({ErrorCode.MALFORMED, ErrorCode.UNKNOWN_METHOD, ErrorCode.BAD_PARAMS, ErrorCode.ID_REUSED})
#: Characters of an error that are kept.
MOST_SAID = 10_000
#: The least time, in seconds, that a last attempt before the deadline is given.
_LEAST = 0.001
#: Seconds between two looks for a handler that is away, growing from the first to the second.
_FIRST_LOOK, _SLOWEST_LOOK = 0.01, 0.2
#: Seconds that a drain leaves handlers which have said farewell to answer what they were finishing.
_FAREWELL = 1.0
#: Seconds between two looks of a drain at the calls under way.
_DRAIN_LOOK = 0.02


class GivenBack(ScheduleZeroError):
    """The job has no outcome here, because the server stops or another server can call its handler: it goes back
    to the store.
    """


@dataclass
class _Sight:
    """What an attempt saw of its handler: the start of it in which the call ran or may have run.

    `started` and `clock` tell when it began: at its turn, for what comes before is no time of the call's. `called` says
    whether the call was made, or is about to be: nothing keeps it from being made any more.
    """

    incarnation: str | None = None
    called: bool = False
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=lambda: time.monotonic())

    def begin(self) -> None:
        """The turn has come."""
        self.started, self.clock = datetime.now(UTC), time.monotonic()


class Caller(Protocol):
    """What the executor needs of a client (`ZMQClient`)."""

    def call(
        self, method: str, params: Any = None, *, timeout: int | None = None, request_id: str | None = None
    ) -> Any:
        """Call and return the answer; `timeout` in milliseconds."""


class Registry(Protocol):
    """What the executor needs of the handlers' registry (`RegistryManager`)."""

    def borrow(self, handler_id: str, *, timeout: float | None = None) -> AbstractContextManager[Caller]:
        """An idle client of that handler, for the time of one call; waits up to `timeout` seconds for it."""


class JobExecutor:
    """Runs calls in threads, at most `threads` a handler, and records each outcome before it returns.

    `random_source` is the source of jitter, uniform in [0, 1). `reachable` says whether a handler is there to
    be called: an attempt waits for it, without a thread, as long as its time-out allows, instead of calling
    into the void. `elsewhere` says whether another server on the same store can call it: then the job is given
    back, for that one to take. `concurrency` says how many calls a handler runs at once, as far as it has told: no
    more are sent to it, so that a job waits here, where that takes nothing of its time-out, and not in the handler.
    `incarnation` is the start of the handler that is connected, empty if none is.
    """

    def __init__(
        self,
        registry: Registry,
        log: ExecutionLog,
        *,
        threads: int = 16,
        random_source: Callable[[], float] | None = None,
        reachable: Callable[[str], bool] = lambda _: True,
        elsewhere: Callable[[str], bool] = lambda _: False,
        concurrency: Callable[[str], int | None] = lambda _: None,
        incarnation: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._registry = registry
        self._log = log
        self._size = threads
        self._random = random_source or random.random
        self._reachable = reachable
        self._elsewhere = elsewhere
        self._incarnation = incarnation
        self._concurrency = concurrency
        self._turns = Turns(self.places)
        self._threads: dict[str, CallThreads] = {}
        self._running: dict[str, ExecutionRecord] = {}
        #: Calls under way: job id -> handler and future answer.
        self._calls: dict[str, tuple[str, asyncio.Future[Any]]] = {}
        self._draining = asyncio.Event()

    @property
    def running(self) -> dict[str, ExecutionRecord]:
        """The executions that go on, by job id, with the attempts that have failed so far."""
        return dict(self._running)

    def places(self, handler_id: str) -> int:
        """How many calls at once that handler gets."""
        return min(self._size, self._concurrency(handler_id) or self._size)

    async def run(self, call: JobCall) -> ExecutionRecord:
        """Bring the job to its outcome and record it; never raises for what a handler does or does not do.

        Raises `GivenBack` for a job that a drain has kept from its (next) call.
        """
        record = begun(call)
        known = await self._log.get(call.job_id) if call.seen else None
        if known is not None:
            if known.outcome is not None:
                return known  # a crash after the record and before the release
            if call.at_most_once:
                return await self._finish(
                    known, Outcome.ABANDONED, error="the server died while this call was under way"
                )
            record = changed(record, started_at=known.started_at, attempts=known.attempts)
        record = with_broken_off(call, record)
        self._running[call.job_id] = record
        try:
            with bound_log(job_id=call.job_id, handler=call.handler_id, schedule_id=call.schedule_id):
                return await self._try(call, record)
        finally:
            self._running.pop(call.job_id, None)

    async def drain(self) -> None:
        """Begin no call any more; returns when the answers of those under way are there.

        Jobs that wait for their handler to appear, or for their next attempt, are given back at once. So are
        those whose handler is away, after the moment that one which said farewell has to answer what it was
        finishing. There is no limit for a handler that is there: the caller sets it.
        """
        self._draining.set()
        self._turns.turn_away(lambda: GivenBack("the server is stopping before this job's turn came"))
        farewell = time.monotonic() + _FAREWELL
        while self._calls:
            if time.monotonic() >= farewell:
                self._give_up_on_the_gone()
            await asyncio.sleep(_DRAIN_LOOK)

    def close(self) -> int:
        """Abandon the threads; returns how many of them are in a call. Closing the clients lets them end."""
        for threads in self._threads.values():
            threads.close()
        return sum(threads.working() for threads in self._threads.values())

    def _give_up_on_the_gone(self) -> None:
        for handler_id, answer in self._calls.values():
            if not answer.done() and not self._reachable(handler_id):
                answer.set_exception(GivenBack(f"handler {handler_id!r} went away before it answered"))

    def _refuse_if_draining(self, call: JobCall) -> None:
        if self._draining.is_set():
            raise GivenBack(f"job {call.job_id} waits for the next start: the server is stopping")

    async def _rest(self, call: JobCall, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        self._refuse_if_draining(call)

    async def _try(self, call: JobCall, record: ExecutionRecord) -> ExecutionRecord:
        begin = time.monotonic()
        most = 1 if call.at_most_once else max(1, call.policy.attempts)
        number = 0
        while True:
            number += 1
            self._refuse_if_draining(call)
            barriers.reached("executor.attempt", job_id=call.job_id, handler_id=call.handler_id, attempt=number)
            sight = _Sight()
            outcome, result, error = await self._attempt(call, record, begin, sight)
            attempt = Attempt(len(record.attempts) + 1, sight.started, time.monotonic() - sight.clock, error)
            record = changed(record, attempts=(*record.attempts, located(attempt, record.attempts, sight.incarnation)))
            if not self._again(call, outcome, number, most):
                return await self._finish(record, outcome, result=result, error=error)
            pause = call.policy.pause(number, self._random())
            if call.deadline is not None and time.monotonic() + pause - begin >= call.deadline:
                error = f"{error} (deadline of {call.deadline:g} s after attempt {number})"
                return await self._finish(record, outcome, error=error)
            self._running[call.job_id] = record
            await self._log.record_attempt(record)
            call.under_way(False)
            await self._rest(call, pause)

    @staticmethod
    def _again(call: JobCall, outcome: Outcome, number: int, most: int) -> bool:
        if outcome is Outcome.SUCCESS or number >= most:
            return False
        return outcome is not Outcome.ERROR or call.policy.retry_errors

    async def _attempt(
        self, call: JobCall, record: ExecutionRecord, begin: float, sight: _Sight
    ) -> tuple[Outcome, Any, str | None]:
        while True:
            timeout = _time_left(call, begin)
            if not await self._appears(call, timeout):
                why = f"handler {call.handler_id!r} stayed disconnected for {timeout:g} s"
                return Outcome.UNREACHABLE, None, why
            left = None if call.deadline is None else begin + call.deadline - time.monotonic()
            self._refuse_if_draining(call)
            async with self._turns.turn(call.handler_id, left) as mine:
                if not mine:
                    why = f"handler {call.handler_id!r} was busy with other calls until the deadline"
                    return Outcome.UNREACHABLE, None, why
                self._refuse_if_draining(call)
                if self._reachable(call.handler_id):
                    return await self._turn(call, record, begin, sight)

    async def _turn(
        self, call: JobCall, record: ExecutionRecord, begin: float, sight: _Sight
    ) -> tuple[Outcome, Any, str | None]:
        sight.begin()
        end = time.monotonic() + _time_left(call, begin)
        # Not earlier: a job that has only waited for its handler has not begun, and may begin after a stop.
        if call.at_most_once and not await self._log.record_start(record):
            raise GivenBack(f"job {call.job_id} was taken over, and begun, by another server")
        noted = not call.noted and not call.at_most_once
        if noted:
            await self._note(call, record)
        try:
            return Outcome.SUCCESS, await self._answer(call, end, sight), None
        except GivenBack:
            if noted and not sight.called:
                await self._take_note_back(record)
            raise
        except CallTimeout as error:
            return Outcome.TIMEOUT, None, _describe(error)
        except (TransportError, UnknownHandler, HandlerUnavailable) as error:
            return Outcome.UNREACHABLE, None, _describe(error)
        except RemoteError as error:
            return Outcome.ERROR, None, _describe(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job gets an outcome and the scheduler lives
            return Outcome.UNREACHABLE, None, _describe(error)

    async def _note(self, call: JobCall, record: ExecutionRecord) -> None:
        """Write down that a call is about to be made, as the taking of a job does that is called at once."""
        at, here = datetime.now(UTC), self._incarnation(call.handler_id)
        under_way = broken_off(len(record.attempts) + 1, at, here)
        await self._log.record_attempt(changed(record, attempts=(*record.attempts, under_way)))

    async def _take_note_back(self, record: ExecutionRecord) -> None:
        """A drain has kept the job from the call that the note says was about to be made."""
        try:
            await self._log.record_attempt(record)
        except Exception as error:  # noqa: BLE001 - the job is given back, whatever its record says too much
            logger.warning("job %s: a call that was not made stays in its record: %s", record.job_id, error)

    async def _answer(self, call: JobCall, end: float, sight: _Sight) -> Any:
        threads = self._threads.get(call.handler_id)
        if threads is None:
            threads = self._threads[call.handler_id] = CallThreads(call.handler_id, self._size)
        answer = threads.submit(lambda: self._call(call, end, sight))
        self._calls[call.job_id] = (call.handler_id, answer)
        try:
            return await answer
        finally:
            del self._calls[call.job_id]

    async def _appears(self, call: JobCall, timeout: float) -> bool:
        end = time.monotonic() + timeout
        pause = _FIRST_LOOK
        while not self._reachable(call.handler_id):
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._elsewhere(call.handler_id):
                raise GivenBack(f"another server can call handler {call.handler_id!r}")
            await self._rest(call, min(pause, left))
            pause = min(pause * 2, _SLOWEST_LOOK)
        return True

    def _call(self, call: JobCall, end: float, sight: _Sight) -> Any:
        if not call.at_most_once:  # its start is recorded: not to call now would be never to call
            self._refuse_if_draining(call)
        with self._registry.borrow(call.handler_id, timeout=max(_LEAST, end - time.monotonic())) as client:
            timeout = max(1, round(max(_LEAST, end - time.monotonic()) * 1000))
            self._set_out(call, sight)
            try:
                return client.call(call.method, call.params, timeout=timeout, request_id=call.job_id)
            except HandlerUnavailable:
                sight.incarnation = ""  # it has said that the call did not run
                raise
            except RemoteError as error:
                sight.incarnation = "" if error.code in _NOT_RUN else None
                raise
            finally:
                if sight.incarnation is None:
                    # Of a handler that answered this is what it told, of another what the registry expects there.
                    sight.incarnation = getattr(client, "incarnation", "")

    def _set_out(self, call: JobCall, sight: _Sight) -> None:
        """The last moment in which a drain can keep the call from being made."""
        # First said, then asked: of a drain that begins just now one of the two is seen in any case.
        sight.called = True
        if self._draining.is_set() and not call.at_most_once:
            sight.called = False
            self._refuse_if_draining(call)
        call.under_way(True)

    async def _finish(
        self, record: ExecutionRecord, outcome: Outcome, *, result: Any = None, error: str | None = None
    ) -> ExecutionRecord:
        final = changed(record, outcome=outcome, ended_at=datetime.now(UTC), result=result, error=error)
        barriers.reached("executor.before_record", job_id=final.job_id)
        await self._log.record_outcome(final)
        barriers.reached("executor.after_record", job_id=final.job_id)
        level = logging.DEBUG if outcome is Outcome.SUCCESS else logging.WARNING
        logger.log(level, "job %s: %s.%s: %s: %s", final.job_id, final.handler_id, final.method, outcome.value, error)
        return final


def _time_left(call: JobCall, begin: float) -> float:
    if call.deadline is None:
        return call.timeout
    return max(_LEAST, min(call.timeout, begin + call.deadline - time.monotonic()))


def _describe(error: Exception) -> str:
    kind = error.code if isinstance(error, RemoteError) else type(error).__name__
    said = f"{kind}: {error}" if kind else str(error)
    # A handler's error may have 8 MiB, and stands in the record, in its attempts, in the log and in events.
    return said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]}… ({len(said)} characters in all)"
