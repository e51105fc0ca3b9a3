"""Where a handler's methods run: plain ones in threads, coroutines in one event loop.

How many run at once, and which wait for their turn, is kept here in the thread of the handler's socket alone.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

from schedule_zero import barriers, wire
from schedule_zero.handler_loop import LoopThread, Push
from schedule_zero.handler_methods import Method, answer, answer_of_coroutine
from schedule_zero.log_context import bound_log
from schedule_zero.wire import ErrorCode

logger = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Job:
    """One call to be run; `number` is its number in the handler's memory.

    After `until`, on the monotonic clock, its caller no longer waits, and it need not begin.
    """

    number: int
    method: Method
    params: dict[str, Any]
    request_id: str | None
    until: float = math.inf


class Workers:
    """Runs at most `count` jobs at a time, and hands each answer to the PULL socket bound at `endpoint`.

    Plain methods run in as many daemon threads (none for a handler that has no such method: `plain` is false), and
    coroutines in one event loop that they share, so that what a handler keeps between async calls stays bound to one
    loop; a coroutine holds no thread. Jobs beyond `count` wait in the order of their arrival.

    All but `start` and `stop` is for one thread only, which must say of each job that is answered that it is `done`.
    """

    def __init__(
        self,
        handler_id: str,
        incarnation: str,
        count: int,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        *,
        plain: bool = True,
    ) -> None:
        self._handler_id = handler_id
        self._incarnation = incarnation
        self._count = count
        self._abandoned = False
        self._make_push: Callable[[], Push] = lambda: Push(context, endpoint)
        self._begun: set[int] = set()
        self._waiting: dict[int, Job] = {}
        self._late: list[Job] = []
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop = LoopThread(f"{handler_id}-loop", self._make_push)
        self._size = count if plain else 0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads.

        Raises:
            zmq.ZMQError: ZeroMQ or the system gives no more sockets.
            RuntimeError: the system gives no more threads.
        """
        pushes: list[Push] = []
        try:
            for _ in range(self._size):
                pushes.append(self._make_push())  # noqa: PERF401 - those made so far are closed after a refusal
            for n in range(1, self._size + 1):
                name = f"{self._handler_id}-worker-{n}"
                thread = threading.Thread(target=self._work, args=(pushes[0],), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
                del pushes[0]  # its thread's now
        except BaseException:
            for push in pushes:
                push.close()
            for _ in self._threads:
                self._jobs.put(None)
            raise

    def submit(self, job: Job) -> None:
        """Begin a job, or let it wait for its turn; the caller bounds how many."""
        if len(self._begun) < self._count:
            self._begin(job)
        else:
            self._waiting[job.number] = job

    def prolong(self, number: int, until: float) -> None:
        """Somebody waits for this job until then; nothing to do if it has begun."""
        job = self._waiting.get(number)
        if job is not None:
            job.until = max(job.until, until)

    def done(self, number: int) -> None:
        """A job has been answered: the turn of the next one that somebody waits for."""
        self._begun.discard(number)
        present = time.monotonic()
        while self._waiting and len(self._begun) < self._count:
            job = self._waiting.pop(next(iter(self._waiting)))
            if job.until < present:
                self._late.append(job)
                continue
            try:
                self._begin(job)
            except RuntimeError:
                logger.exception("handler %s: %s cannot be begun", self._handler_id, job.method.name)
                self._late.append(job)

    def expired(self) -> list[Job]:
        """Take back the jobs that nobody waits for any more, and that have not begun."""
        late, self._late = self._late, []
        present = time.monotonic()
        for job in [job for job in self._waiting.values() if job.until <= present]:
            late.append(self._waiting.pop(job.number))
        return late

    def next_expiry(self) -> float:
        """When, on the monotonic clock, `expired` will have something, as far as is known."""
        return -math.inf if self._late else min((job.until for job in self._waiting.values()), default=math.inf)

    def withdraw(self) -> list[Job]:
        """Take back the jobs that have not begun."""
        waiting, self._waiting = [*self._late, *self._waiting.values()], {}
        self._late = []
        return waiting

    def stop(self, timeout: float) -> list[threading.Thread]:
        """Let the threads end when they are done; returns those that were still at it after `timeout`
        seconds.
        """
        deadline = time.monotonic() + timeout
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        # The socket's thread has ended: whoever finishes from now on need not try to hand over an answer.
        self._abandoned = True
        stuck = [thread for thread in self._threads if thread.is_alive()]
        # Cancels coroutines that are still running, which also frees the threads that wait for them.
        loop = self._loop.stop(max(0.2, deadline - time.monotonic()))
        for thread in stuck:
            thread.join(0.2)
        return [thread for thread in [*stuck, *([loop] if loop else [])] if thread.is_alive()]

    def _begin(self, job: Job) -> None:
        self._begun.add(job.number)
        if not job.method.is_coroutine:
            self._jobs.put(job)
            return
        try:
            self._loop.submit(lambda push: self._run_in_loop(job, push), lambda push: self._lose(job, push))
        except BaseException:
            self._begun.discard(job.number)
            raise

    def _work(self, push: Push) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._run(job, push)
        finally:
            push.close()

    def _run(self, job: Job, push: Push) -> None:
        context = self._context(job)
        try:
            barriers.reached("handler.before_call", **context)
            # What the method logs tells which job it was for: a job's calls have its id as their request id.
            with bound_log(handler=self._handler_id, method=job.method.name, request_id=job.request_id):
                data, ok = answer(job.method, job.params, job.request_id, self._loop.run, self._incarnation)
            barriers.reached("handler.after_call", ok=ok, **context)
        except Exception as error:  # noqa: BLE001 - logged, answered, survived
            data = self._broke_off(job, error)
        self._hand_back(job, data, push)

    async def _run_in_loop(self, job: Job, push: Push) -> None:
        context = self._context(job)
        try:
            barriers.reached("handler.before_call", **context)
            with bound_log(handler=self._handler_id, method=job.method.name, request_id=job.request_id):
                data, ok = await answer_of_coroutine(job.method, job.params, job.request_id, self._incarnation)
            barriers.reached("handler.after_call", ok=ok, **context)
        except Exception as error:  # noqa: BLE001 - logged, answered, survived
            data = self._broke_off(job, error)
        self._hand_back(job, data, push)

    def _lose(self, job: Job, push: Push) -> None:
        self._hand_back(job, self._broke_off(job, RuntimeError("the event loop ended")), push)

    def _context(self, job: Job) -> dict[str, Any]:
        return {"handler_id": self._handler_id, "method": job.method.name, "request_id": job.request_id}

    def _hand_back(self, job: Job, data: bytes, push: Push) -> None:
        if self._abandoned:
            return
        try:
            push.send(job.number, data)
        except zmq.ZMQError as error:
            # The socket's thread has ended, or hangs. Whose thread this is goes on: the next answer may be taken.
            logger.warning("handler %s: nobody takes an answer: %s", self._handler_id, error)

    def _broke_off(self, job: Job, error: Exception) -> bytes:
        logger.error("handler %s: %s broke off", self._handler_id, job.method.name, exc_info=error)
        message = f"{job.method.name} broke off: {type(error).__name__}: {error}"
        reply = wire.failure(message, ErrorCode.INTERNAL, job.request_id)
        reply.incarnation = self._incarnation  # it may have run
        return wire.encode_reply(reply)
