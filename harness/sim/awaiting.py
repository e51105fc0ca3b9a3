"""What threads and tasks wait for in the standard library's words, read off their stacks.

An event, a condition or a queue waits on a lock of its own, and a task on a bare future: a report that named those
would be true, and of no help.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_OURS: Final = str(Path(__file__).parent)
_STDLIB: Final = sysconfig.get_path("stdlib")

_THREADS: Final[dict[str, tuple[Any, ...]]] = {
    "an item of a queue.Queue": (queue.Queue.get,),
    "room in a queue.Queue": (queue.Queue.put,),
    "the items of a queue.Queue to be done": (queue.Queue.join,),
    "a threading.Event to be set": (threading.Event.wait,),
    "a notification of a threading.Condition": (threading.Condition.wait, threading.Condition.wait_for),
    "a threading.Semaphore": (threading.Semaphore.acquire,),
    "the others at a threading.Barrier": (threading.Barrier.wait,),
    "the result of a Future": (concurrent.futures.Future.result, concurrent.futures.Future.exception),
    "futures (concurrent.futures.wait)": (concurrent.futures.wait, concurrent.futures.as_completed),
}
_TASKS: Final[dict[str, tuple[Any, ...]]] = {
    "an item of an asyncio.Queue": (asyncio.Queue.get,),
    "room in an asyncio.Queue": (asyncio.Queue.put,),
    "the items of an asyncio.Queue to be done": (asyncio.Queue.join,),
    "an asyncio.Lock": (asyncio.Lock.acquire,),
    "an asyncio.Event to be set": (asyncio.Event.wait,),
    "a notification of an asyncio.Condition": (asyncio.Condition.wait, asyncio.Condition.wait_for),
    "an asyncio.Semaphore": (asyncio.Semaphore.acquire,),
    "the others at an asyncio.Barrier": (asyncio.Barrier.wait,),
    "its sleep": (asyncio.sleep,),
    "the tasks of its asyncio.TaskGroup": (asyncio.TaskGroup.__aexit__,),
}
_SOME: Final = "a future"
MOST: Final = 200
"""Tasks of one loop that are told of by name."""


def thread_waits(frame: FrameType | None) -> str | None:
    """The primitive of the standard library in which a thread waits, given its innermost frame; None: in none."""
    words = _by_code(_THREADS)
    told = None
    while frame is not None and frame.f_code.co_filename.startswith((_OURS, _STDLIB, "<frozen")):
        if "site-packages" in frame.f_code.co_filename:
            break
        told = words.get(frame.f_code, told)
        frame = frame.f_back
    return told


def loop_of(frame: FrameType | None) -> Any:
    """The event loop that a thread runs, given its innermost frame; None when it runs none."""
    run: CodeType = asyncio.BaseEventLoop.run_forever.__code__
    while frame is not None:
        if frame.f_code is run:
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


def tasks_wait(loop: Any) -> Iterator[str]:
    """A line for each task of a loop that is not done, in the order in which they were made."""
    running = asyncio.current_task(loop)
    tasks: list[Any] = sorted(asyncio.all_tasks(loop), key=hash)  # their numbers
    for task in tasks[:MOST]:
        frames = list(_suspended(task.get_coro()))
        waits = "runs" if task is running else f"waits for {_awaited(task, frames)}"
        yield f"task {task.get_name()}: {waits}{_place(frames)}"
    if len(tasks) > MOST:
        yield f"and {len(tasks) - MOST} tasks more"


def _suspended(awaitable: Any) -> Iterator[FrameType]:
    """The frames of a coroutine that waits, outermost first: of what it awaits, what that awaits, and so on."""
    while awaitable is not None:
        for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaitable, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                awaitable = getattr(awaitable, inner)
                break
        else:
            return


def _awaited(task: Any, frames: list[FrameType]) -> str:
    """In words of the library that the program called, if they are known; else by the future below it all."""
    words = _by_code(_TASKS)
    for frame in frames:
        if frame.f_code in words:
            return words[frame.f_code]
    below = _future(task._fut_waiter)
    program = [not _of_library(frame) for frame in frames]
    outermost = len(program) - program[::-1].index(True) if True in program else 0
    if outermost < len(frames):
        called = frames[outermost]
        name = f"{called.f_globals.get('__name__', '?')}.{called.f_code.co_qualname}"
        return name if below == _SOME else f"{name} ({below})"
    return below


def _future(awaited: Any) -> str:
    if awaited is None:
        return "its turn"
    if isinstance(awaited, asyncio.Task):
        return f"task {awaited.get_name()}"
    children = getattr(awaited, "_children", None)
    if children:
        return f"all of {len(children)}: {', '.join(_future(child) for child in children if not child.done())}"
    callbacks = [getattr(callback, "func", callback) for callback, _ in awaited._callbacks or ()]  # pyzmq's: partial
    if any(getattr(callback, "__qualname__", "").startswith("_chain_future") for callback in callbacks):
        return "work in another thread"
    if any(getattr(callback, "__module__", "") == "zmq._future" for callback in callbacks):
        return "a ZeroMQ socket"
    return _SOME


def _place(frames: list[FrameType]) -> str:
    """The line where the program awaits; a library's, if no frame is the program's."""
    own = [frame for frame in frames if not _of_library(frame)] or frames
    if not own:
        return ""
    return f", at {own[-1].f_code.co_filename}:{own[-1].f_lineno} in {own[-1].f_code.co_name}"


def _of_library(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith((_OURS, _STDLIB, "<frozen")) or "site-packages" in file


def _by_code(words: dict[str, tuple[Any, ...]]) -> dict[CodeType, str]:
    """The words by the functions' code; a function that was patched to something without code has none."""
    found = {getattr(function, "__code__", None): text for text, functions in words.items() for function in functions}
    return {code: text for code, text in found.items() if code is not None}
