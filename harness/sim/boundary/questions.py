"""Methods written in Python that only look: who calls them over and over polls, and is let wait.

What is asked of simulated locks, queues, processes and sockets knows by itself that it answers "not yet", see
`harness.sim.polling`. These look at a plain attribute, and would never come to one of those.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.polling import not_yet


def install(patcher: Patcher) -> None:
    """Have each tell when its answer means "not yet"."""
    for owner, name, patient in (
        (threading.Event, "is_set", False),
        (queue.Queue, "empty", True),
        (queue.Queue, "full", True),
        (futures.Future, "done", False),
        (futures.Future, "running", True),
    ):
        patcher.set(owner, name, _asking(getattr(owner, name), patient))
    patcher.set(queue.Queue, "qsize", _counting(queue.Queue.qsize))
    patcher.set(queue.Queue, "get", _getting(queue.Queue.get))
    patcher.set(queue.Queue, "put", _putting(queue.Queue.put))
    patcher.set(threading.Semaphore, "acquire", _acquiring(threading.Semaphore.acquire))
    patcher.set(threading.Semaphore, "__enter__", threading.Semaphore.acquire)
    patcher.set(threading, "enumerate", _looking(threading.enumerate))  # which `active_count` asks


def _asking(real: Callable[[Any], bool], patient: bool) -> Callable[[Any], bool]:
    @functools.wraps(real)
    def ask(self: Any) -> bool:
        answer = real(self)
        if answer is patient:
            not_yet()
        return answer

    return ask


def _looking(real: Callable[[], list[threading.Thread]]) -> Callable[[], list[threading.Thread]]:
    """Who looks again waits for one to begin, or to end: any answer may mean "not yet"."""

    def enumerate_threads() -> list[threading.Thread]:
        answer = real()
        not_yet()
        return answer

    return enumerate_threads


def _counting(real: Callable[[Any], int]) -> Callable[[Any], int]:
    @functools.wraps(real)
    def qsize(self: Any) -> int:
        count = real(self)
        if not count:
            not_yet()
        return count

    return qsize


def _getting(real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return real(self, block, timeout)
        except queue.Empty:
            not_yet()  # a time-out of 0 is no wait either; after a real one this is the first question of a turn
            raise

    return get


def _putting(real: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(real)
    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        try:
            return real(self, item, block, timeout)
        except queue.Full:
            not_yet()
            raise

    return put


def _acquiring(real: Callable[..., bool]) -> Callable[..., bool]:
    @functools.wraps(real)
    def acquire(self: Any, blocking: bool = True, timeout: float | None = None) -> bool:
        acquired = real(self, blocking, timeout)
        if not acquired and not blocking:
            not_yet()
        return acquired

    return acquire
