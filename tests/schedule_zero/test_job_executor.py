"""`JobExecutor`: what is tried again, under which id, and what is recorded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schedule_zero import barriers
from schedule_zero.errors import CallTimeout, Disconnected, HandlerUnavailable, RemoteError, UnknownHandler
from schedule_zero.execution_log import Attempt, ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.job_executor import GivenBack, JobCall, JobExecutor, RetryPolicy

pytestmark = pytest.mark.unit

QUICK = RetryPolicy(attempts=3, base=0.001, factor=1.0, jitter=0.0)


class Script:
    """A registry with one client that answers as it is told: exceptions are raised, the rest returned."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, Any, int | None, str | None]] = []
        self.borrowed: list[float | None] = []
        self.called = threading.Event()
        self.called_twice = threading.Event()

    @contextmanager
    def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Script]:
        """Lend the client."""
        self.borrowed.append(timeout)
        yield self

    def call(
        self, method: str, params: Any = None, *, timeout: int | None = None, request_id: str | None = None
    ) -> Any:
        """Answer as scripted."""
        self.calls.append((method, params, timeout, request_id))
        self.called.set()
        if len(self.calls) == 2:
            self.called_twice.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def play(script: Script, call: JobCall) -> ExecutionRecord:
    """Run one call with a log of its own; returns what the log says afterwards."""

    async def scene(log: ExecutionLog) -> ExecutionRecord | None:
        executor = JobExecutor(script, log, random_source=lambda: 0.5)
        returned = await executor.run(call)
        assert returned == await log.get(call.job_id)
        assert executor.running == {}
        executor.close()
        return returned

    record = with_log(scene)
    assert record is not None
    return record


def with_log(scene: Callable[[ExecutionLog], Awaitable[ExecutionRecord | None]]) -> ExecutionRecord | None:
    """Run a scene with a started log, with a deadline."""

    async def bounded() -> ExecutionRecord | None:
        async with asyncio.timeout(20.0):
            log = ExecutionLog(":memory:")
            await log.start()
            try:
                return await scene(log)
            finally:
                await log.close()

    return asyncio.run(bounded())


async def until_known(log: ExecutionLog) -> None:
    """Wait until the log knows job j; the scene's deadline bounds the wait."""
    while await log.get("j") is None:
        await asyncio.sleep(0.001)


def test_an_answer_is_recorded_as_success() -> None:
    """The method gets its parameters, the job's id as request id, and the time-out in milliseconds."""
    script = Script({"sum": 3})
    record = play(script, JobCall("j", "h", "add", {"a": 1, "b": 2}, timeout=1.5))
    assert (record.outcome, record.result, len(record.attempts)) == (Outcome.SUCCESS, {"sum": 3}, 1)
    [(method, params, timeout, request_id)] = script.calls
    assert (method, params, request_id) == ("add", {"a": 1, "b": 2}, "j")
    assert timeout is not None
    assert 1000 < timeout <= 1500


def test_a_client_is_waited_for_no_longer_than_the_attempt_may_take() -> None:
    """A client is borrowed for the time left, and the time that takes is not given to the call again."""

    class Scarce(Script):
        @contextmanager
        def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Script]:
            self.borrowed.append(timeout)
            time.sleep(0.1)  # the wait for a client that others use
            yield self

    script = Scarce("x")
    play(script, JobCall("j", "h", "m", timeout=1.5))
    [borrowed], [(_, _, timeout, _)] = script.borrowed, script.calls
    assert borrowed is not None
    assert timeout is not None
    assert 1.0 < borrowed <= 1.5
    assert timeout <= 1400


@pytest.mark.parametrize(
    "failure", [CallTimeout("slow"), Disconnected("gone"), UnknownHandler("who"), HandlerUnavailable("full")]
)
def test_what_got_no_answer_is_asked_again_under_the_same_id(failure: Exception) -> None:
    """Every kind of missing answer is retried with one request id, and every attempt is recorded."""
    script = Script(failure, failure, "done")
    record = play(script, JobCall("j", "h", "m", policy=QUICK))
    assert record.outcome is Outcome.SUCCESS
    assert [request_id for *_, request_id in script.calls] == ["j", "j", "j"]
    assert [(a.number, a.error is None) for a in record.attempts] == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [(CallTimeout("slow"), Outcome.TIMEOUT), (Disconnected("gone"), Outcome.UNREACHABLE)],
)
def test_the_last_failure_is_the_outcome(failure: Exception, outcome: Outcome) -> None:
    """After the last attempt the job has an outcome that says how it failed."""
    record = play(Script(*[failure] * 3), JobCall("j", "h", "m", policy=QUICK))
    assert (record.outcome, record.error) == (outcome, f"{type(failure).__name__}: {failure}")


def test_an_error_that_the_handler_answered_is_not_asked_for_again() -> None:
    """An answer is an answer: one attempt, outcome error, with the handler's code."""
    script = Script(RemoteError("division by zero", code="handler_error"))
    record = play(script, JobCall("j", "h", "m", policy=QUICK))
    assert (record.outcome, record.error) == (Outcome.ERROR, "handler_error: division by zero")
    assert len(script.calls) == 1


def test_of_a_long_error_the_beginning_is_kept() -> None:
    """A handler may say 8 MiB, and its error stands in the record, the attempt, the log and the events."""
    record = play(Script(RemoteError("x" * 1_000_000, code="call_failed")), JobCall("j", "h", "m"))
    assert record.error == "call_failed: " + "x" * 9987 + "… (1000013 characters in all)"
    assert [attempt.error for attempt in record.attempts] == [record.error]


def test_a_job_may_ask_for_retries_on_errors() -> None:
    """With `retry_errors` an error is asked again like a lost answer."""
    policy = RetryPolicy(attempts=3, base=0.001, jitter=0.0, retry_errors=True)
    record = play(Script(RemoteError("no"), "yes"), JobCall("j", "h", "m", policy=policy))
    assert (record.outcome, record.result) == (Outcome.SUCCESS, "yes")


def test_a_job_that_may_run_once_is_tried_once() -> None:
    """`at_most_once` makes one attempt whatever the policy says."""
    script = Script(CallTimeout("slow"))
    record = play(script, JobCall("j", "h", "m", policy=QUICK, at_most_once=True))
    assert (record.outcome, len(script.calls)) == (Outcome.TIMEOUT, 1)


def test_the_deadline_ends_the_attempts() -> None:
    """No attempt begins that would start after the deadline, and each is given no more than what is left."""
    script = Script(CallTimeout("slow"))
    policy = RetryPolicy(attempts=10, base=60.0, jitter=0.0)
    record = play(script, JobCall("j", "h", "m", deadline=2.0, timeout=30.0, policy=policy))
    assert record.outcome is Outcome.TIMEOUT
    assert record.error == "CallTimeout: slow (deadline of 2 s after attempt 1)"
    [(_, _, timeout, _)] = script.calls
    assert timeout is not None
    assert 1000 < timeout <= 2000


def test_a_recorded_outcome_is_not_called_for_again() -> None:
    """A crash after the record and before the release brings the job back: the log answers, the handler is left
    alone.
    """

    async def scene(log: ExecutionLog) -> None:
        first = await JobExecutor(Script("once"), log).run(JobCall("j", "h", "m"))
        script = Script()
        assert await JobExecutor(script, log).run(JobCall("j", "h", "m", seen=True)) == first
        assert script.calls == []

    with_log(scene)


def test_a_job_that_may_run_once_is_abandoned_after_a_crash() -> None:
    """Nobody knows whether the call under way has been done: it is not repeated, and has its outcome."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        crashed = JobExecutor(Script(hold.wait), log)
        running = asyncio.create_task(crashed.run(JobCall("j", "h", "m", at_most_once=True)))
        await until_known(log)
        running.cancel()
        await asyncio.wait({running})
        script = Script()
        record = await JobExecutor(script, log).run(JobCall("j", "h", "m", at_most_once=True))
        assert (record.outcome, script.calls) == (Outcome.ABANDONED, [])
        hold.set()
        crashed.close()

    with_log(scene)


def test_attempts_before_a_crash_are_kept() -> None:
    """A failed attempt is durable at once: the next incarnation counts on from there."""

    async def scene(log: ExecutionLog) -> None:
        slow = RetryPolicy(attempts=3, base=60.0, jitter=0.0)
        running = asyncio.create_task(
            JobExecutor(Script(CallTimeout("1")), log).run(JobCall("j", "h", "m", policy=slow))
        )
        await until_known(log)
        running.cancel()
        await asyncio.wait({running})
        record = await JobExecutor(Script("ok"), log).run(JobCall("j", "h", "m"))
        assert [(a.number, a.error) for a in record.attempts] == [(1, "CallTimeout: 1"), (2, None)]

    with_log(scene)


def test_a_handler_whose_threads_all_hang_holds_up_no_other() -> None:
    """Each handler has threads of its own: with all of one's busy for ever, another's call is answered."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = Script(hold.wait, hold.wait)
        executor = JobExecutor(script, log, threads=2)
        stuck = [asyncio.create_task(executor.run(JobCall(f"s{n}", "dead", "m"))) for n in range(3)]
        await asyncio.to_thread(script.called_twice.wait, 10.0)
        script.answers.append("alive")
        record = await executor.run(JobCall("j", "live", "m"))
        assert record.result == "alive"
        script.answers.append("third")
        hold.set()
        await asyncio.wait(stuck)

    with_log(scene)


@pytest.mark.parametrize("once", [False, True])
def test_a_drain_gives_back_what_waits_for_its_handler(once: bool) -> None:
    """A job whose handler is away is not waited for; the log knows nothing of it, so that it is run as new."""

    async def scene(log: ExecutionLog) -> None:
        looked = asyncio.Event()
        script = Script()
        executor = JobExecutor(script, log, reachable=lambda _: looked.set() or False)  # type: ignore[func-returns-value]
        waiting = asyncio.create_task(executor.run(JobCall("j", "h", "m", at_most_once=once)))
        await looked.wait()
        await executor.drain()
        with pytest.raises(GivenBack):
            await waiting
        assert (await log.get("j"), script.calls, executor.running) == (None, [], {})

    with_log(scene)


def test_a_drain_gives_back_what_pauses_before_its_next_attempt() -> None:
    """A pause of a minute is not waited for; the failed attempt stays known, without an outcome."""

    async def scene(log: ExecutionLog) -> None:
        slow = RetryPolicy(attempts=3, base=60.0, jitter=0.0)
        script = Script(CallTimeout("1"))
        executor = JobExecutor(script, log)
        pausing = asyncio.create_task(executor.run(JobCall("j", "h", "m", policy=slow)))
        await until_known(log)
        await executor.drain()
        with pytest.raises(GivenBack):
            await pausing
        record = await log.get("j")
        assert record is not None
        assert (record.outcome, len(record.attempts), len(script.calls)) == (None, 1, 1)
        executor.close()

    with_log(scene)


def test_a_drain_waits_for_a_call_under_way_and_begins_no_other() -> None:
    """The answer of a call under way is recorded; one that waits for a thread, or comes later, is given back."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = Script(lambda: hold.wait(10.0))
        executor = JobExecutor(script, log, threads=1)
        calling = asyncio.create_task(executor.run(JobCall("j", "h", "m")))
        await asyncio.to_thread(script.called.wait, 10.0)
        queued = asyncio.create_task(executor.run(JobCall("queued", "h", "m")))
        draining = asyncio.create_task(executor.drain())
        await asyncio.sleep(0)
        with pytest.raises(GivenBack):
            await executor.run(JobCall("late", "h", "m"))
        assert not draining.done()
        hold.set()
        await draining
        assert (await calling).outcome is Outcome.SUCCESS
        with pytest.raises(GivenBack):
            await queued
        assert [request_id for *_, request_id in script.calls] == ["j"]
        assert executor.close() == 0

    with_log(scene)


@pytest.mark.parametrize("moment", ["note", "borrow"])
def test_a_drain_before_the_call_takes_back_the_note_of_it(moment: str) -> None:
    """That a call is about to be made is written down; a drain that then keeps it from being made corrects that."""
    draining: list[asyncio.Task[None]] = []
    borrowed, hold = threading.Event(), threading.Event()

    class Log(ExecutionLog):
        async def record_attempt(self, record: ExecutionRecord) -> None:
            await super().record_attempt(record)
            noted.append(record.attempts)
            if moment == "note" and not draining:
                draining.append(asyncio.create_task(executor.drain()))
                await asyncio.sleep(0)

    class Scarce(Script):
        @contextmanager
        def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Script]:
            borrowed.set()
            hold.wait(10.0)
            yield self

    async def scene(_: ExecutionLog) -> None:
        await log.start()
        running = asyncio.create_task(executor.run(JobCall("j", "h", "m", noted=False)))
        if moment == "borrow":
            await asyncio.to_thread(borrowed.wait, 10.0)
            draining.append(asyncio.create_task(executor.drain()))
            await asyncio.sleep(0)
        hold.set()
        with pytest.raises(GivenBack):
            await running
        await draining[0]
        record = await log.get("j")
        assert record is not None
        assert (script.calls, record.attempts, record.outcome) == ([], (), None)
        assert [len(attempts) for attempts in noted] == [1, 0]
        await log.close()
        executor.close()

    noted: list[tuple[Attempt, ...]] = []
    log, script = Log(":memory:"), Scarce("x")
    executor = JobExecutor(script, log)
    with_log(scene)


@pytest.mark.slow
def test_a_drain_does_not_wait_for_an_answer_of_a_handler_that_went_away() -> None:
    """A call whose handler is gone is given up after the moment for a farewell, and has no outcome."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = Script(lambda: hold.wait(10.0))
        executor = JobExecutor(script, log, reachable=lambda _: not script.called.is_set())
        calling = asyncio.create_task(executor.run(JobCall("j", "h", "m")))
        await asyncio.to_thread(script.called.wait, 10.0)
        async with asyncio.timeout(5.0):
            await executor.drain()
        with pytest.raises(GivenBack):
            await calling
        assert await log.get("j") is None
        assert executor.close() == 1
        hold.set()

    with_log(scene)


def test_the_barriers_stand_around_the_record() -> None:
    """A scenario can strike at each attempt, and before and after the outcome is made durable."""
    seen: list[tuple[str, Any]] = []
    names = ("executor.attempt", "executor.before_record", "executor.after_record")
    stops = [barriers.listen(name, lambda _n=name, **context: seen.append((_n, context))) for name in names]
    try:
        play(Script("x"), JobCall("j", "h", "m"))
    finally:
        for stop in stops:
            stop()
    assert seen == [
        ("executor.attempt", {"job_id": "j", "handler_id": "h", "attempt": 1}),
        ("executor.before_record", {"job_id": "j"}),
        ("executor.after_record", {"job_id": "j"}),
    ]


@pytest.mark.parametrize(
    ("attempt", "chance", "pause"), [(1, 0.5, 1.0), (3, 0.5, 4.0), (1, 0.0, 0.5), (2, 1.0, 3.0)]
)
def test_pauses_grow_and_vary(attempt: int, chance: float, pause: float) -> None:
    """base * factor ** n, varied by +- jitter."""
    assert RetryPolicy(base=1.0, factor=2.0, jitter=0.5).pause(attempt, chance) == pause


class Restarts(Script):
    """A client whose handler is, at each call, the start of it that is named with the answer."""

    incarnation = ""

    def call(
        self, method: str, params: Any = None, *, timeout: int | None = None, request_id: str | None = None
    ) -> Any:
        """Answer as scripted, in that start of the handler."""
        self.incarnation, self.answers[0] = self.answers[0]
        return super().call(method, params, timeout=timeout, request_id=request_id)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([("a", 1)], [(None, False)]),
        ([("a", CallTimeout("slow")), ("a", 1)], [("a", False), ("a", False)]),
        ([("a", CallTimeout("slow")), ("b", 1)], [("a", False), ("b", True)]),
        ([("a", HandlerUnavailable("full")), ("b", 1)], [(None, False), ("b", False)]),
        ([("a", CallTimeout("slow")), ("b", HandlerUnavailable("full")), ("a", 1)],
         [("a", False), (None, False), ("a", False)]),
        ([("a", CallTimeout("slow")), ("b", RemoteError("no", code="bad_params"))], [("a", False), (None, False)]),
        ([("a", CallTimeout("slow")), ("b", RemoteError("no", code="call_failed"))], [("a", False), ("b", True)]),
        ([("", CallTimeout("slow")), ("", 1)], [(None, False), (None, False)]),
    ],
)  # fmt: skip
def test_work_that_may_have_been_done_twice_is_marked(
    answers: list[tuple[str, Any]], expected: list[tuple[str | None, bool]]
) -> None:
    """A call that may have run in one start of the handler and ran in another says so, and no other does."""
    record = play(Restarts(*answers), JobCall("j", "h", "add", policy=QUICK))
    assert [(attempt.incarnation, attempt.maybe_again) for attempt in record.attempts] == expected
