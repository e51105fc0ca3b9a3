"""Running a blocking call in a thread of its own, with a deadline that holds whatever the call does.

The event loop's executor would do, but for one thing: a call that never returns keeps the whole program from
ending. These threads are daemons, and nobody waits for one that was given up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TooLong(Exception):
    """The call is still running when its time is over."""


async def in_thread(
    call: Callable[[], T], *, timeout: float, name: str, late: Callable[[T], object] = lambda result: None
) -> T:
    """The result of `call`, made in a daemon thread; raises `TooLong` after `timeout` seconds, and what `call`
    raises.

    A call that ends after it was given up (too long, or the waiting task was cancelled) hands its result to
    `late`, in its own thread, so that it can be undone.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    lock = threading.Lock()
    state = {"given up": False, "ended": False}

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's task
            end(lambda error=error: done.set_exception(error))  # type: ignore[misc]
            return
        if not end(lambda: done.set_result(result)):
            late(result)

    def end(set_it: Callable[[], None]) -> bool:
        """Deliver the outcome, unless nobody waits any more."""
        with lock:
            if state["given up"] or loop.is_closed():
                return False
            state["ended"] = True
            loop.call_soon_threadsafe(lambda: None if done.done() else set_it())
            return True

    def give_up() -> bool:
        with lock:
            state["given up"] = not state["ended"]
            return state["given up"]

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        finished, _ = await asyncio.wait({done}, timeout=timeout)
    except asyncio.CancelledError:
        if not give_up():
            done.add_done_callback(lambda f: None if f.cancelled() or f.exception() else late(f.result()))
        raise
    if not finished and give_up():
        raise TooLong
    return await done
