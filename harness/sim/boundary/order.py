"""Numbers the objects that libraries keep in sets, so that sets are walked in the same order in every run.

A set of objects without ``__hash__`` of their own is ordered by their addresses. asyncio keeps tasks so
(``all_tasks``), anyio its tasks, cancel scopes and worker threads, ``ThreadPoolExecutor`` its threads, and all of
them walk those sets: to cancel, to join. Inside a world such objects get consecutive numbers, and the number is the
hash. Objects made before the world have no number and keep the hash they had.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import itertools
import threading
from typing import Any, cast

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How

_NUMBERED = "its hash is its number in order of creation, so that sets of them are walked in one order"

BOUNDARY = (
    Boundary("asyncio.Task.__hash__", How.SIMULATED, _NUMBERED),
    Boundary(
        "threading.Thread.__hash__",
        How.SIMULATED,
        _NUMBERED,
    ),
    Boundary("concurrent.futures.Future.__hash__", How.SIMULATED, _NUMBERED),
    Boundary("anyio.CancelScope.__hash__", How.SIMULATED, _NUMBERED),
    Boundary("id", How.PASSED, "addresses differ from run to run: do not order by id(), nor print it"),
    Boundary("hash", How.PASSED, "of str and bytes it depends on PYTHONHASHSEED: sort sets of them to walk them"),
)


class SimTask(asyncio.Task[Any]):
    """A task whose hash is its number in the loop."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number


class SimFuture(asyncio.Future[Any]):
    """A future whose hash is its number in the loop."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number


# What asyncio logs, and what is printed, is searched for by these names: "Task exception was never retrieved".
SimTask.__name__ = SimTask.__qualname__ = "Task"
SimFuture.__name__ = SimFuture.__qualname__ = "Future"

_NEW: Any = SimTask.__new__
_MAKE: Any = SimTask.__init__


def numbered_task(number: int, loop: asyncio.AbstractEventLoop, coroutine: Any, options: dict[str, Any]) -> SimTask:
    """What `SimLoop` makes of a coroutine; `options` are those of `asyncio.Task`."""
    # Registered in a WeakSet by its constructor already: the number must be there before.
    task: SimTask = _NEW(SimTask)
    task.number = number
    if options.get("name") is None:
        # asyncio counts names through all loops of the interpreter, the ones before this world, too.
        options["name"] = f"Task-{number}"
    _MAKE(task, coroutine, loop=loop, **options)
    return task


def install(patcher: Patcher) -> None:
    """Number what is made from now on of threads, futures and anyio's cancel scopes."""
    _number(patcher, threading.Thread)
    _number(patcher, concurrent.futures.Future)
    # Imported now, so that scopes are numbered also in a program that imports anyio inside the world.
    _number(patcher, importlib.import_module("anyio._backends._asyncio").CancelScope)


def _number(patcher: Patcher, kind: type[Any]) -> None:
    """Have objects of `kind` made by simulated threads be hashed by a number."""
    count = itertools.count(1)
    construct, plain = cast("Any", kind).__init__, cast("Any", kind).__hash__

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        self._sim_number = next(count)
        construct(self, *args, **named)

    def __hash__(self: Any) -> int:
        try:
            number: int = self._sim_number
        except AttributeError:
            number = plain(self)
        return number

    patcher.set(kind, "__init__", __init__)
    patcher.set(kind, "__hash__", __hash__)
