"""The event loop in which a handler's coroutines run, in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import itertools
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

import zmq

logger = logging.getLogger(__name__)

_HAND_BACK_MS: Final = 1000


class Push:
    """The way of one thread's answers to the handler's socket; used and closed in that thread.

    Made by whoever starts the thread, so that a refusal by ZeroMQ or the system is theirs to answer: a socket may move
    to a thread that starts later, as ZeroMQ has it, but not be used by two.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self._socket = context.socket(zmq.PUSH)
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            # When nobody takes the answer any more, the handler has stopped.
            self._socket.setsockopt(zmq.SNDTIMEO, _HAND_BACK_MS)
            self._socket.connect(endpoint)
        except BaseException:
            self._socket.close(linger=0)
            raise

    def send(self, number: int, answer: bytes) -> None:
        """Hand the answer to the call of that number over; raises `zmq.ZMQError` if nobody takes it."""
        self._socket.send_multipart([b"%d" % number, answer])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close(linger=0)


#: Makes the coroutine of a piece of work, which hands its answer over by itself, and raises nothing that matters.
Work = Callable[[Push], Coroutine[Any, Any, None]]
#: What is done about a piece of work whose loop has ended under it.
Lost = Callable[[Push], None]


class LoopThread:
    """An asyncio event loop in a thread of its own, started when it is first needed, and anew if it has ended.

    A task of a method's making that raises SystemExit or KeyboardInterrupt ends asyncio's loop, whoever else runs in
    it. Their work is cancelled then, and told to be lost; the next one gets a loop that runs.
    """

    def __init__(self, name: str, push: Callable[[], Push]) -> None:
        self._name = name
        self._make_push = push
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        #: Work that a loop which is starting is going to begin, and all that has not ended.
        self._early: list[tuple[int, Work, contextvars.Context]] = []
        self._under_way: dict[int, Lost] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def submit(self, work: Work, lost: Lost) -> None:
        """Begin the work in the loop, in the caller's context (its log ids), without waiting for anything; `lost` is
        called, in the loop's thread, if that ends before the work does.

        Raises:
            RuntimeError: the loop was stopped, or the system gives no more threads or sockets.
        """
        with self._lock:
            if self._stopped:
                raise RuntimeError("the handler is stopping")
            if self._thread is None:
                self._thread = self._start()
            number = next(self._numbers)
            self._under_way[number] = lost
            context = contextvars.copy_context()
            if self._loop is None:
                self._early.append((number, work, context))
            else:
                self._loop.call_soon_threadsafe(self._begin, number, work, context)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop, wait for it, return what it returns or raise what it raises.

        Without a deadline, as for a method that is no coroutine: `stop` cancels what still runs.

        Raises:
            RuntimeError: the loop was stopped, or ended.
        """
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        async def settle(_: Push) -> None:
            try:
                future.set_result(await coroutine)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                future.set_exception(error)

        def lose(_: Push) -> None:
            coroutine.close()
            if not future.done():
                future.set_exception(RuntimeError("the event loop of the handler's coroutines ended"))

        try:
            self.submit(settle, lose)
        except RuntimeError:
            coroutine.close()
            raise
        return future.result()

    def stop(self, timeout: float) -> threading.Thread | None:
        """Cancel what runs and end the thread; returns it if that takes longer than `timeout` seconds."""
        with self._lock:
            self._stopped = True
            thread = self._thread
            if self._loop is not None and self._ended is not None:
                self._loop.call_soon_threadsafe(self._ended.set)
        if thread is None:
            return None
        thread.join(timeout)
        return thread if thread.is_alive() else None

    def _start(self) -> threading.Thread:
        """Start the thread; all that the system may refuse it is asked for here, where a refusal reaches the caller."""
        try:
            push = self._make_push()
        except zmq.ZMQError as error:
            raise RuntimeError(f"the event loop of the handler's coroutines cannot start: {error}") from error
        thread = threading.Thread(target=self._run, args=(push,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            push.close()
            raise
        return thread

    def _run(self, push: Push) -> None:
        try:
            asyncio.run(self._main(push))
        except BaseException as error:
            logger.exception("%s: the event loop was ended by %s", self._name, type(error).__name__)
        finally:
            for lost in self._forget():
                try:
                    lost(push)
                except Exception:
                    logger.exception("%s: of lost work one could not be told", self._name)
            push.close()

    def _forget(self) -> list[Lost]:
        with self._lock:
            lost = list(self._under_way.values())
            self._thread = self._loop = self._ended = None
            self._under_way, self._early, self._tasks = {}, [], {}
        return lost

    async def _main(self, push: Push) -> None:
        self._push = push
        ended = asyncio.Event()
        with self._lock:
            if self._stopped:
                return
            self._loop, self._ended = asyncio.get_running_loop(), ended
            early, self._early = self._early, []
        for one in early:
            self._begin(*one)
        # asyncio.run cancels all other tasks when this one returns.
        await ended.wait()

    def _begin(self, number: int, work: Work, context: contextvars.Context) -> None:
        # Kept, because the loop itself keeps no more than a weak reference.
        self._tasks[number] = asyncio.get_running_loop().create_task(self._do(number, work), context=context)

    async def _do(self, number: int, work: Work) -> None:
        await work(self._push)
        with self._lock:
            self._under_way.pop(number, None)
        self._tasks.pop(number, None)
