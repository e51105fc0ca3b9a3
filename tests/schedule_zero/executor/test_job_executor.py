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
from schedule_zero.execution_log import ExecutionLog, ExecutionRecord, Outcome
from schedule_zero.job_executor import JobCall, JobExecutor, RetryPolicy

pytestmark = pytest.mark.unit

QUICK = RetryPolicy(attempts=3, base=0.001, factor=1.0, jitter=0.0)
Scene = Callable[[ExecutionLog], Awaitable[ExecutionRecord | None]]
WithLog = Callable[[Scene], ExecutionRecord | None]
Known = Callable[[ExecutionLog], Awaitable[None]]
Play = Callable[[Any, JobCall], ExecutionRecord]


@pytest.fixture
def play(with_log: WithLog) -> Play:
    """Runs one call with a log of its own; returns what the log says afterwards."""

    def run(script: Any, call: JobCall) -> ExecutionRecord:
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

    return run


def test_an_answer_is_recorded_as_success(play: Play, script_class: Any) -> None:
    """The method gets its parameters, the job's id as request id, and the time-out in milliseconds."""
    script = script_class({"sum": 3})
    record = play(script, JobCall("j", "h", "add", {"a": 1, "b": 2}, timeout=1.5))
    assert (record.outcome, record.result, len(record.attempts)) == (Outcome.SUCCESS, {"sum": 3}, 1)
    [(method, params, timeout, request_id)] = script.calls
    assert (method, params, request_id) == ("add", {"a": 1, "b": 2}, "j")
    assert timeout is not None
    assert 1000 < timeout <= 1500


def test_a_client_is_waited_for_no_longer_than_the_attempt_may_take(play: Play, script_class: Any) -> None:
    """A client is borrowed for the time left, and the time that takes is not given to the call again."""

    class Scarce(script_class):  # type: ignore[misc]
        @contextmanager
        def borrow(self, handler_id: str, *, timeout: float | None = None) -> Iterator[Any]:
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
def test_what_got_no_answer_is_asked_again_under_the_same_id(failure: Exception, play: Play, script_class: Any) -> None:
    """Every kind of missing answer is retried with one request id, and every attempt is recorded."""
    script = script_class(failure, failure, "done")
    record = play(script, JobCall("j", "h", "m", policy=QUICK))
    assert record.outcome is Outcome.SUCCESS
    assert [request_id for *_, request_id in script.calls] == ["j", "j", "j"]
    assert [(a.number, a.error is None) for a in record.attempts] == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [(CallTimeout("slow"), Outcome.TIMEOUT), (Disconnected("gone"), Outcome.UNREACHABLE)],
)
def test_the_last_failure_is_the_outcome(failure: Exception, outcome: Outcome, play: Play, script_class: Any) -> None:
    """After the last attempt the job has an outcome that says how it failed."""
    record = play(script_class(*[failure] * 3), JobCall("j", "h", "m", policy=QUICK))
    assert (record.outcome, record.error) == (outcome, f"{type(failure).__name__}: {failure}")


def test_an_error_that_the_handler_answered_is_not_asked_for_again(play: Play, script_class: Any) -> None:
    """An answer is an answer: one attempt, outcome error, with the handler's code."""
    script = script_class(RemoteError("division by zero", code="handler_error"))
    record = play(script, JobCall("j", "h", "m", policy=QUICK))
    assert (record.outcome, record.error) == (Outcome.ERROR, "handler_error: division by zero")
    assert len(script.calls) == 1


def test_of_a_long_error_the_beginning_is_kept(play: Play, script_class: Any) -> None:
    """A handler may say 8 MiB, and its error stands in the record, the attempt, the log and the events."""
    record = play(script_class(RemoteError("x" * 1_000_000, code="call_failed")), JobCall("j", "h", "m"))
    assert record.error == "call_failed: " + "x" * 9987 + "… (1000013 characters in all)"
    assert [attempt.error for attempt in record.attempts] == [record.error]


def test_a_job_may_ask_for_retries_on_errors(play: Play, script_class: Any) -> None:
    """With `retry_errors` an error is asked again like a lost answer."""
    policy = RetryPolicy(attempts=3, base=0.001, jitter=0.0, retry_errors=True)
    record = play(script_class(RemoteError("no"), "yes"), JobCall("j", "h", "m", policy=policy))
    assert (record.outcome, record.result) == (Outcome.SUCCESS, "yes")


def test_a_job_that_may_run_once_is_tried_once(play: Play, script_class: Any) -> None:
    """`at_most_once` makes one attempt whatever the policy says."""
    script = script_class(CallTimeout("slow"))
    record = play(script, JobCall("j", "h", "m", policy=QUICK, at_most_once=True))
    assert (record.outcome, len(script.calls)) == (Outcome.TIMEOUT, 1)


def test_the_deadline_ends_the_attempts(play: Play, script_class: Any) -> None:
    """No attempt begins that would start after the deadline, and each is given no more than what is left."""
    script = script_class(CallTimeout("slow"))
    policy = RetryPolicy(attempts=10, base=60.0, jitter=0.0)
    record = play(script, JobCall("j", "h", "m", deadline=2.0, timeout=30.0, policy=policy))
    assert record.outcome is Outcome.TIMEOUT
    assert record.error == "CallTimeout: slow (deadline of 2 s after attempt 1)"
    [(_, _, timeout, _)] = script.calls
    assert timeout is not None
    assert 1000 < timeout <= 2000


def test_a_recorded_outcome_is_not_called_for_again(with_log: WithLog, script_class: Any) -> None:
    """A crash after the record and before the release brings the job back: the log answers, the handler is left
    alone.
    """

    async def scene(log: ExecutionLog) -> None:
        first = await JobExecutor(script_class("once"), log).run(JobCall("j", "h", "m"))
        script = script_class()
        assert await JobExecutor(script, log).run(JobCall("j", "h", "m", seen=True)) == first
        assert script.calls == []

    with_log(scene)


def test_a_job_that_may_run_once_is_abandoned_after_a_crash(
    with_log: WithLog, script_class: Any, until_known: Known
) -> None:
    """Nobody knows whether the call under way has been done: it is not repeated, and has its outcome."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        crashed = JobExecutor(script_class(hold.wait), log)
        running = asyncio.create_task(crashed.run(JobCall("j", "h", "m", at_most_once=True)))
        await until_known(log)
        running.cancel()
        await asyncio.wait({running})
        script = script_class()
        record = await JobExecutor(script, log).run(JobCall("j", "h", "m", at_most_once=True))
        assert (record.outcome, script.calls) == (Outcome.ABANDONED, [])
        hold.set()
        crashed.close()

    with_log(scene)


def test_attempts_before_a_crash_are_kept(with_log: WithLog, script_class: Any, until_known: Known) -> None:
    """A failed attempt is durable at once: the next incarnation counts on from there."""

    async def scene(log: ExecutionLog) -> None:
        slow = RetryPolicy(attempts=3, base=60.0, jitter=0.0)
        running = asyncio.create_task(
            JobExecutor(script_class(CallTimeout("1")), log).run(JobCall("j", "h", "m", policy=slow))
        )
        await until_known(log)
        running.cancel()
        await asyncio.wait({running})
        record = await JobExecutor(script_class("ok"), log).run(JobCall("j", "h", "m"))
        assert [(a.number, a.error) for a in record.attempts] == [(1, "CallTimeout: 1"), (2, None)]

    with_log(scene)


def test_a_handler_whose_threads_all_hang_holds_up_no_other(with_log: WithLog, script_class: Any) -> None:
    """Each handler has threads of its own: with all of one's busy for ever, another's call is answered."""

    async def scene(log: ExecutionLog) -> None:
        hold = threading.Event()
        script = script_class(hold.wait, hold.wait)
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


def test_the_barriers_stand_around_the_record(play: Play, script_class: Any) -> None:
    """A scenario can strike at each attempt, and before and after the outcome is made durable."""
    seen: list[tuple[str, Any]] = []
    names = ("executor.attempt", "executor.before_record", "executor.after_record")
    stops = [barriers.listen(name, lambda _n=name, **context: seen.append((_n, context))) for name in names]
    try:
        play(script_class("x"), JobCall("j", "h", "m"))
    finally:
        for stop in stops:
            stop()
    assert seen == [
        ("executor.attempt", {"job_id": "j", "handler_id": "h", "attempt": 1}),
        ("executor.before_record", {"job_id": "j"}),
        ("executor.after_record", {"job_id": "j"}),
    ]


@pytest.mark.parametrize(("attempt", "chance", "pause"), [(1, 0.5, 1.0), (3, 0.5, 4.0), (1, 0.0, 0.5), (2, 1.0, 3.0)])
def test_pauses_grow_and_vary(attempt: int, chance: float, pause: float) -> None:
    """base * factor ** n, varied by +- jitter."""
    assert RetryPolicy(base=1.0, factor=2.0, jitter=0.5).pause(attempt, chance) == pause


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
    answers: list[tuple[str, Any]], expected: list[tuple[str | None, bool]], play: Play, script_class: Any
) -> None:
    """A call that may have run in one start of the handler and ran in another says so, and no other does."""

    class Restarts(script_class):  # type: ignore[misc]
        """A client whose handler is, at each call, the start of it that is named with the answer."""

        incarnation = ""

        def call(
            self, method: str, params: Any = None, *, timeout: int | None = None, request_id: str | None = None
        ) -> Any:
            """Answer as scripted, in that start of the handler."""
            self.incarnation, self.answers[0] = self.answers[0]
            return super().call(method, params, timeout=timeout, request_id=request_id)

    record = play(Restarts(*answers), JobCall("j", "h", "add", policy=QUICK))
    assert [(attempt.incarnation, attempt.maybe_again) for attempt in record.attempts] == expected
