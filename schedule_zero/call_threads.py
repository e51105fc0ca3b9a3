"""Threads that wait for handlers, so that the event loop does not.

Each handler has a set of its own: a dead handler can hold up its own threads and nobody else's. The threads are
daemons made on demand (unlike `ThreadPoolExecutor`'s, which the interpreter joins at its end): a call that
hangs must not keep the process from stopping.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Item = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class CallThreads:
    """At most `size` threads, named after `name`, that run blocking functions for one event loop.

    Example::

        threads = CallThreads("handler-a", 4)
        answer = await threads.run(lambda: client.call("work"))
        threads.close()
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    @property
    def busy(self) -> int:
        """Calls taken and not answered, waiting ones included."""
        return self._busy

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` in a thread. When the waiter is cancelled the thread goes on; its answer is dropped."""
        return await self.submit(call)

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """The future answer of `call`. Whoever settles it first (cancels it, say) keeps a call that has not
        begun from beginning.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._busy += 1
        if self._busy > len(self._threads) and len(self._threads) < self._size:
            self._add_thread()
        self._queue.put((call, future, loop))
        return future

    def close(self) -> None:
        """Let every thread end after what it is doing; does not wait."""
        for _ in self._threads:
            self._queue.put(None)

    def alive(self) -> int:
        """How many threads have not ended."""
        return sum(thread.is_alive() for thread in self._threads)

    def working(self) -> int:
        """How many threads are at work on a call; one that is idle and has yet to end is none of them."""
        return min(self._busy, self.alive())

    def _add_thread(self) -> None:
        name = f"call {self._name} {len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            call, future, loop = item
            result: Any = None
            error: Exception | None = None
            try:
                result = None if future.done() else call()
            except Exception as caught:  # noqa: BLE001 - handed to the waiter
                error = caught
            try:
                loop.call_soon_threadsafe(self._answer, future, result, error)
            except RuntimeError:
                return  # the loop has been closed: nobody waits any more

    def _answer(self, future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        self._busy -= 1
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
