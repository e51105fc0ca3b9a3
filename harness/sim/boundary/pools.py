"""Thread pools of the world: none that was made before it, and idle workers counted alike on every Python.

Until 3.11 a worker of `ThreadPoolExecutor` says that it is idle after each piece of work, also when more waits; since
3.12 only when it finds nothing to do (python/cpython#94777 made the change). Which thread gets the next piece, and
whether another thread is started, differs by that: one seed would have two histories. Inside a world the newer rule
holds on every version.
"""

from __future__ import annotations

import _queue
import concurrent.futures.thread as pools
import functools
import logging
import queue
import sys
from collections.abc import Callable
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.errors import Killed, NotSimulated
from harness.sim.kernel import current_thread

_RealQueue = _queue.SimpleQueue
_LOG = logging.getLogger("concurrent.futures")

BOUNDARY = (
    Boundary(
        "concurrent.futures.ThreadPoolExecutor.submit",
        How.SIMULATED,
        "a pool that was made before the world has real threads, and is refused",
    ),
    Boundary(
        "concurrent.futures.thread._worker", How.SIMULATED, "idle workers are counted as since Python 3.12, on 3.11 too"
    ),
)


def install(patcher: Patcher) -> None:
    """Refuse pools of the host's; count idle workers, where the interpreter is old enough to need it."""
    patcher.set(pools.ThreadPoolExecutor, "submit", _of_this_world(pools.ThreadPoolExecutor.submit))
    if sys.version_info < (3, 12):
        patcher.set(pools, "_worker", _chosen(pools._worker))


def _of_this_world(real: Callable[..., Any]) -> Callable[..., Any]:
    """A pool made before the world hands work on through a real queue, whose workers never wait in virtual time."""

    @functools.wraps(real)
    def submit(self: Any, /, *args: Any, **named: Any) -> Any:
        if type(self._work_queue) is _RealQueue and current_thread() is not None:
            raise NotSimulated(
                f"a ThreadPoolExecutor ({self._thread_name_prefix}) that was made outside of this world was given work "
                "in it: its threads are real, and wait in real time. Make it inside: in a function, say, instead of a "
                "module's global"
            )
        return real(self, *args, **named)

    return submit


def _chosen(real: Callable[..., None]) -> Callable[..., None]:
    def run(executor_reference: Any, work_queue: Any, initializer: Any, initargs: Any) -> None:
        if current_thread() is None:
            real(executor_reference, work_queue, initializer, initargs)
        elif _initialized(executor_reference, initializer, initargs):
            _serve(executor_reference, work_queue)

    return run


def _initialized(executor_reference: Any, initializer: Any, initargs: Any) -> bool:
    """Whether the pool's initializer, if it has one, ended well; a pool whose initializer fails is broken."""
    if initializer is None:
        return True
    try:
        initializer(*initargs)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - as the standard library: whatever it is, the pool is broken
        _LOG.critical("Exception in initializer:", exc_info=True)
        executor = executor_reference()
        if executor is not None:
            executor._initializer_failed()
        return False
    return True


def _serve(executor_reference: Any, work_queue: Any) -> None:
    """Do what comes until the pool is shut down or gone."""
    try:
        while True:
            item = _next(executor_reference, work_queue)
            if item is not None:
                item.run()
                del item  # what it holds must not live on while this thread waits
            elif _over(executor_reference):
                work_queue.put(None)  # wakes the next worker, which ends the same way
                return
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - as the standard library: the thread ends, the pool lives
        _LOG.critical("Exception in worker", exc_info=True)


def _next(executor_reference: Any, work_queue: Any) -> Any:
    """The next piece of work; only who has to wait for it counts as idle."""
    try:
        return work_queue.get_nowait()
    except queue.Empty:
        executor = executor_reference()
        if executor is not None:
            executor._idle_semaphore.release()
        del executor
        return work_queue.get(block=True)


def _over(executor_reference: Any) -> bool:
    executor = executor_reference()
    if executor is not None and not executor._shutdown and not pools._shutdown:
        return False
    if executor is not None:
        executor._shutdown = True
    return True
