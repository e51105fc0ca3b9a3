"""What of `threading`, `queue` and `concurrent.futures` is simulated, also where it was imported by name."""

from __future__ import annotations

import _thread
import threading

from harness.sim.bare_threads import REAL_QUEUE, REAL_START
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.locks import Lock, RLock
from harness.sim.queues import SimpleQueue

_LOCK = "waiting parks; whoever waited longest is next, unless the world is to deviate"
_BUILT = "Python code over simulated locks"

BOUNDARY = (
    Boundary("threading.Lock", How.SIMULATED, _LOCK),
    Boundary("threading.RLock", How.SIMULATED, _LOCK),
    Boundary("threading.Thread", How.SIMULATED, "a real thread that runs only while the kernel lets it"),
    Boundary("threading.enumerate", How.SIMULATED, "the threads of the calling process"),
    Boundary("threading.local", How.PASSED, "simulated threads are real ones: each has its own values"),
    Boundary("contextvars", How.PASSED, "simulated threads are real ones: each has its own context"),
    Boundary(
        "threading.get_ident", How.PASSED, "real numbers, which differ from run to run: do not print or sort by them"
    ),
    Boundary("threading.get_native_id", How.SIMULATED, "the number of a main thread is its process's, as on Linux"),
    *(
        Boundary(name, How.SIMULATED, _BUILT)
        for name in (
            "threading.Condition",
            "threading.Event",
            "threading.Semaphore",
            "threading.Barrier",
            "threading.Timer",
            "queue.Queue",
            "concurrent.futures.ThreadPoolExecutor",
            "anyio.to_thread",
            "anyio.from_thread",
        )
    ),
    Boundary("queue.SimpleQueue", How.SIMULATED, _LOCK),
    Boundary("_queue.SimpleQueue", How.SIMULATED, _LOCK),
    Boundary("_thread.start_new_thread", How.SIMULATED, "a simulated thread that nobody joins"),
    Boundary("_thread.allocate_lock", How.PASSED, "the import system needs real locks; use threading.Lock"),
    Boundary(
        "logging.Handler.lock", How.SIMULATED, "locks of handlers made before the world are replaced for its time"
    ),
)


def everywhere(patcher: Patcher) -> None:
    """Find names bound by ``from threading import Lock`` before the world, too.

    The factories give threads of the host real locks, so it does no harm that modules of the host are among those.
    """
    patcher.replace_everywhere(_thread.allocate_lock, Lock)
    if isinstance(_thread.LockType, type) and threading.Lock is not _thread.allocate_lock:
        patcher.replace_everywhere(_thread.LockType, Lock)
    patcher.replace_everywhere(_thread.RLock, RLock)
    patcher.replace_everywhere(REAL_QUEUE, SimpleQueue)
    patcher.replace_everywhere(REAL_START, _thread.start_new_thread)
