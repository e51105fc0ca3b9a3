"""Threads of the standard library become simulated ones."""

from __future__ import annotations

import _thread
import concurrent.futures.thread as pools
import functools
import itertools
import logging
import queue
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from harness.sim import bare_threads
from harness.sim.errors import Killed
from harness.sim.handles import Sentinel, SimHandle, wait_end
from harness.sim.locks import Lock, RLock
from harness.sim.queues import SimpleQueue
from harness.sim.thread import LOCAL, SimThread

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

JOINABLE = hasattr(threading, "_start_joinable_thread")
"""Python 3.13 and later: threads have handles. Before: sentinels, which are locks."""


Put = Callable[[object, str, object], None]


class Setter(Protocol):
    """Whatever sets attributes and puts them back at the end of the world."""

    def set(self, owner: object, name: str, value: object) -> None:
        """Set ``owner.name`` to `value` until then."""


def install(patcher: Setter, kernel: Kernel) -> None:
    """Patch `threading`, `queue`, `concurrent.futures` and the locks of `logging`, for an open world.

    No lock of ``_thread`` is touched: the import system uses them. What is patched asks who calls, and gives threads
    outside the world the real thing.
    """
    put = patcher.set
    kernel.main.thread = threading.current_thread()
    for name in ("Lock", "_allocate_lock"):
        put(threading, name, Lock)
    put(threading, "RLock", RLock)
    put(queue, "SimpleQueue", SimpleQueue)
    for module, name in ((threading, "_time"), (queue, "time")):
        put(module, name, partial(_monotonic, getattr(module, name)))
    put(threading, "enumerate", partial(_enumerate, threading.enumerate))
    for module in (_thread, threading):
        put(module, "get_native_id", partial(_native_id, _thread.get_native_id))
    put(threading, "active_count", lambda: len(threading.enumerate()))
    put(threading, "excepthook", partial(_excepthook, threading.excepthook))
    kernel.on_close.append(partial(_forget, kernel))
    bare_threads.install(patcher)
    _starting(put, kernel)
    _shared_locks(put)
    _per_process(put, kernel)


def _forget(kernel: Kernel) -> None:
    """Threads that were unwound before they had begun are still announced to `threading`."""
    announced: dict[Any, threading.Thread] = threading._limbo  # type: ignore[attr-defined]
    for thread in kernel.threads:
        announced.pop(thread.thread, None)


def _starting(put: Put, kernel: Kernel) -> None:
    if JOINABLE:
        put(threading, "_ThreadHandle", partial(_handle, threading._ThreadHandle))  # type: ignore[attr-defined]
        real = threading._start_joinable_thread  # type: ignore[attr-defined]
        put(threading, "_start_joinable_thread", partial(_start_joinable, real))
        return
    put(threading, "_start_new_thread", partial(_start, threading._start_new_thread))  # type: ignore[attr-defined]
    put(threading, "_set_sentinel", partial(_sentinel, threading._set_sentinel))  # type: ignore[attr-defined]
    sentinels: set[Any] = threading._shutdown_locks  # type: ignore[attr-defined]
    put(threading, "_shutdown_locks", ours := set[Any]())
    # Threads from outside that were started meanwhile stay known to the interpreter, which joins them at its end.
    kernel.on_close.append(lambda: sentinels.update(lock for lock in ours if not isinstance(lock, Sentinel)))


def _shared_locks(put: Put) -> None:
    """Locks made before the world that the standard library holds while a thread may wait."""
    put(pools, "_global_shutdown_lock", threading.Lock())
    put(logging, "_lock", threading.RLock())
    for reference in list(getattr(logging, "_handlerList")):  # noqa: B009 - private, hence unknown to its types
        handler = reference()
        if handler is not None and handler.lock is not None:
            put(handler, "lock", threading.RLock())
    if hasattr(functools.cached_property(len), "lock"):
        # Python 3.11 holds one lock for all instances of a class while the property is computed; 3.12 dropped it.
        put(functools.cached_property, "__get__", _without_lock(functools.cached_property.__get__))


def _without_lock(real: Callable[..., Any]) -> Callable[..., Any]:
    def get(prop: Any, instance: Any, owner: Any = None) -> Any:
        if LOCAL.thread is None or instance is None or prop.attrname is None or not hasattr(instance, "__dict__"):
            return real(prop, instance, owner)
        cache = instance.__dict__
        if prop.attrname not in cache:
            cache[prop.attrname] = prop.func(instance)
        return cache[prop.attrname]

    return get


def _per_process(put: Put, kernel: Kernel) -> None:
    """What `threading` and `concurrent.futures` count and keep: each process has its own."""
    factories: Mapping[tuple[Any, str], Callable[[], object]] = {
        (threading, "_counter"): _names,
        (threading, "_main_thread"): threading.current_thread,
        (threading, "_threading_atexits"): lambda: [getattr(pools, "_python_exit")],  # noqa: B009
        (threading, "_SHUTTING_DOWN"): bool,
        (pools.ThreadPoolExecutor, "_counter"): lambda: itertools.count().__next__,
        (pools, "_threads_queues"): weakref.WeakKeyDictionary,
        (pools, "_shutdown"): bool,
    }
    for (holder, name), factory in factories.items():
        put(holder, name, factory())
        kernel.process_local(holder, name, factory)


def _names() -> Callable[[], int]:
    numbers = itertools.count()
    next(numbers)
    return numbers.__next__


NATIVE = 8_000_000
"""Beyond the numbers of processes: main threads have those of their processes, as on Linux."""


def _native_id(real: Callable[[], int]) -> int:
    me = LOCAL.thread
    if me is None:
        return real()
    return me.process.pid if me is me.process.main else NATIVE + me.number


def _monotonic(real: Callable[[], float]) -> float:
    me = LOCAL.thread
    return real() if me is None else me.process.clock.monotonic(me.kernel.now)


def _handle(real: Callable[[], object]) -> object:
    return real() if LOCAL.thread is None else SimHandle()


def _sentinel(real: Callable[[], object]) -> object:
    me = LOCAL.thread
    return real() if me is None else Sentinel(me)


def _start(
    real: Callable[..., int],
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
) -> int:
    """``threading._start_new_thread`` of Python 3.11 and 3.12."""
    if LOCAL.thread is None:
        return real(function, args, kwargs or {})
    return _spawn(partial(function, *args, **(kwargs or {})), function).ident


def _start_joinable(
    real: Callable[..., object], function: Callable[[], object], handle: Any = None, daemon: bool = True
) -> object:
    """``threading._start_joinable_thread`` of Python 3.13."""
    if LOCAL.thread is None:
        return real(function, handle=handle, daemon=daemon)
    if not isinstance(handle, SimHandle):
        handle = SimHandle()
        owner = getattr(function, "__self__", None)
        if isinstance(owner, threading.Thread):
            owner._handle = handle  # type: ignore[attr-defined] # the thread object was made before the world
    handle.thread = _spawn(function, function)
    return handle


def _spawn(run: Callable[[], object], function: Callable[..., object]) -> SimThread:
    me = LOCAL.thread
    assert me is not None
    owner = getattr(function, "__self__", None)
    if not isinstance(owner, threading.Thread):
        return me.kernel.spawn(me.process, getattr(function, "__name__", "thread"), run)
    try:
        made = me.kernel.spawn(me.process, owner.name, run, thread=owner)
    except Killed:
        threading._limbo.pop(owner, None)  # type: ignore[attr-defined] # Thread.start does it for no BaseException
        raise
    made.daemon = owner.daemon
    return made


def _enumerate(real: Callable[[], list[threading.Thread]]) -> list[threading.Thread]:
    """The threads of the calling thread's process."""
    me = LOCAL.thread
    if me is None:
        return real()
    return [thread.thread for thread in me.process.threads if thread.thread is not None and not thread.done]


def _excepthook(real: Callable[[Any], object], args: Any) -> None:
    """Threads that are unwound say nothing."""
    me = LOCAL.thread
    if me is None or not (me.killed or args.exc_type is Killed):  # or ended by the watchdog
        real(args)


class ProcessThread(threading.Thread):
    """The `threading.Thread` of a simulated thread that was started by `Kernel.spawn`, e.g. a process's main thread."""

    def __init__(self, name: str, *, daemon: bool = False) -> None:
        super().__init__(name=name, daemon=daemon)

    def run_here(self, run: Callable[[], object]) -> object:
        """Be the calling thread's Thread while `run` runs; what that returns."""
        me = LOCAL.thread
        assert me is not None
        me.thread = self
        table: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
        self._ident = me.ident
        if JOINABLE:
            self._handle = SimHandle()
            self._handle.thread = me
        else:
            self._set_tstate_lock()  # type: ignore[attr-defined]
        self._native_id = _thread.get_native_id()
        self._started.set()  # type: ignore[attr-defined]
        table[me.ident] = self
        try:
            return run()
        finally:
            table.pop(me.ident, None)


def process_main(run: Callable[[], object]) -> Callable[[], object]:
    """What to spawn as a process's first thread so that inside it is ``threading.main_thread()``.

    >>> kernel.spawn(process, "MainThread", process_main(program))    # doctest: +SKIP
    """

    def main() -> object:
        thread = ProcessThread("MainThread")
        threading._main_thread = thread  # type: ignore[attr-defined]
        return thread.run_here(run)

    return main


def shut_down() -> None:
    """What CPython does when the main thread of the calling process has come to its end.

    Executors are told to finish (``threading._register_atexit``), then every thread that is no daemon is joined.
    """
    me = LOCAL.thread
    assert me is not None
    for callback in reversed(threading._threading_atexits):  # type: ignore[attr-defined]
        callback()
    while waiting := [thread for thread in me.process.threads if thread is not me and not thread.daemon]:
        wait_end(waiting[0], None)
