"""The threads in which a handler's methods run."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

import zmq

from schedule_zero import barriers, wire
from schedule_zero.handler_methods import Method, answer
from schedule_zero.log_context import bound_log
from schedule_zero.wire import ErrorCode

logger = logging.getLogger(__name__)

_HAND_BACK_MS: Final = 1000
_LOOP_START: Final = 10.0


class Job(NamedTuple):
    """One call to be run; `number` is its number in the handler's memory."""

    number: int
    method: Method
    params: dict[str, Any]
    request_id: str | None


class Workers:
    """`count` daemon threads that run jobs, and hand each answer to the PULL socket bound at `endpoint`.

    Coroutines run in one event loop that all of them share (started at the first one), so that what a handler
    keeps between async calls stays bound to one loop; a worker is busy until its coroutine is done.
    """

    def __init__(
        self, handler_id: str, incarnation: str, count: int, context: zmq.Context[zmq.Socket[bytes]], endpoint: str
    ) -> None:
        self._handler_id = handler_id
        self._incarnation = incarnation
        self._context = context
        self._endpoint = endpoint
        self._abandoned = False
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop = LoopThread(f"{handler_id}-loop")
        self._threads = [
            threading.Thread(target=self._work, name=f"{handler_id}-worker-{n}", daemon=True)
            for n in range(1, count + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; the caller bounds how many."""
        self._jobs.put(job)

    def withdraw(self) -> list[Job]:
        """Take back the jobs that no worker has begun."""
        waiting: list[Job] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return waiting
            if job is not None:
                waiting.append(job)

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
        # Cancels coroutines that are still running, which also frees the workers that wait for them.
        self._loop.stop(max(0.2, deadline - time.monotonic()))
        for thread in stuck:
            thread.join(0.2)
        return [thread for thread in stuck if thread.is_alive()]

    def _work(self) -> None:
        push = self._context.socket(zmq.PUSH)
        try:
            push.setsockopt(zmq.LINGER, 0)
            # When nobody takes the answer any more, the handler has stopped.
            push.setsockopt(zmq.SNDTIMEO, _HAND_BACK_MS)
            push.connect(self._endpoint)
            while (job := self._jobs.get()) is not None:
                self._run(job, push)
        except zmq.ZMQError as error:
            logger.warning("handler %s: a worker ended: %s", self._handler_id, error)
        finally:
            push.close(linger=0)

    def _run(self, job: Job, push: zmq.Socket[bytes]) -> None:
        context = {"handler_id": self._handler_id, "method": job.method.name, "request_id": job.request_id}
        try:
            barriers.reached("handler.before_call", **context)
            # What the method logs tells which job it was for: a job's calls have its id as their request id.
            with bound_log(handler=self._handler_id, method=job.method.name, request_id=job.request_id):
                data, ok = answer(job.method, job.params, job.request_id, self._loop.run, self._incarnation)
            barriers.reached("handler.after_call", ok=ok, **context)
        except Exception as error:
            logger.exception("handler %s: %s broke off", self._handler_id, job.method.name)
            message = f"{job.method.name} broke off: {type(error).__name__}: {error}"
            reply = wire.failure(message, ErrorCode.INTERNAL, job.request_id)
            reply.incarnation = self._incarnation  # it may have run
            data = wire.encode_reply(reply)
        if not self._abandoned:
            push.send_multipart([b"%d" % job.number, data])


class LoopThread:
    """An asyncio event loop in a thread of its own, started when it is first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], object] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop, wait for it, return what it returns or raise what it raises.

        Raises:
            RuntimeError: the loop was stopped, or did not start.
        """
        try:
            loop = self._started()
        except RuntimeError:
            coroutine.close()
            raise
        # Without a deadline, as for a method that is no coroutine: `stop` cancels what still runs.
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def stop(self, timeout: float) -> None:
        """Cancel what runs and end the thread, waiting up to `timeout` seconds for it."""
        with self._lock:
            self._stopped = True
            thread, loop, end = self._thread, self._loop, self._end
        if thread is None or loop is None or end is None:
            return
        loop.call_soon_threadsafe(end)
        thread.join(timeout)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._stopped:
                raise RuntimeError("the handler is stopping")
            if self._thread is None:
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._main()), name=self._name, daemon=True
                )
                self._thread.start()
            if not self._ready.wait(_LOOP_START) or self._loop is None:
                raise RuntimeError(f"the event loop did not start within {_LOOP_START:.0f} s")
            return self._loop

    async def _main(self) -> None:
        ended = asyncio.Event()
        self._end = ended.set
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        # asyncio.run cancels all other tasks when this one returns.
        await ended.wait()
