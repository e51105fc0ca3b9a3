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
from typing import Any, Final

from harness.sim.boundary.patcher import Patcher
from harness.sim.polling import looked, not_yet

_LOOK: Final = "_harness_look"
"""Attribute of a queue: who looked last how much is in it, and what that was."""


def install(patcher: Patcher) -> None:
    """Have each tell when its answer means "not yet"."""
    for owner, name, patient in (
        (threading.Event, "is_set", False),
        (futures.Future, "done", False),
        (futures.Future, "cancelled", False),
        (futures.Future, "running", True),
    ):
        patcher.set(owner, name, _asking(getattr(owner, name), patient))
    for name, patient in (("empty", True), ("full", True), ("qsize", False)):
        patcher.set(queue.Queue, name, _sizing(getattr(queue.Queue, name), patient))
    for name in ("n_waiting", "broken"):
        patcher.set(threading.Barrier, name, _telling(getattr(threading.Barrier, name)))
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


def _sizing(real: Callable[[Any], int], patient: bool) -> Callable[[Any], int]:
    """Any answer may mean "not yet", to who waits for others to take all that is in it: see `looked`."""

    @functools.wraps(real)
    def ask(self: Any) -> int:
        answer = real(self)
        before: Any = vars(self).get(_LOOK)
        setattr(self, _LOOK, looked(before, self._qsize(), patient=answer == patient))
        return answer

    return ask


def _telling(real: Any) -> property:
    """An attribute that is computed: any answer may mean "not yet"."""

    def tell(self: Any) -> Any:
        answer = real.fget(self)
        not_yet()
        return answer

    return property(tell, doc=real.__doc__)


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
