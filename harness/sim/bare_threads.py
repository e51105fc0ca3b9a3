"""Threads started below `threading`, and what else of C waits: ``_thread.start_new_thread``, ``_queue.SimpleQueue``."""

from __future__ import annotations

import _queue
import _thread
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from harness.sim.errors import Killed
from harness.sim.queues import SimpleQueue
from harness.sim.thread import LOCAL

if TYPE_CHECKING:
    from harness.sim.thread import SimThread


REAL_START = _thread.start_new_thread
REAL_QUEUE = _queue.SimpleQueue


class Setter(Protocol):
    """Whatever sets attributes and puts them back at the end of the world."""

    def set(self, owner: object, name: str, value: object) -> None:
        """Set ``owner.name`` to `value` until then."""


def install(patcher: Setter) -> None:
    """Patch `_thread` where it starts threads, and `_queue`. Locks of `_thread` stay real: the import system's are."""
    start = partial(_start, _thread.start_new_thread)
    for name in ("start_new_thread", "start_new"):
        if hasattr(_thread, name):
            patcher.set(_thread, name, start)
    patcher.set(_queue, "SimpleQueue", SimpleQueue)


def _start(real: Callable[..., int], function: Any, args: Any, kwargs: Any = None, /) -> int:
    """``_thread.start_new_thread``: the new thread's identifier."""
    if LOCAL.thread is None:
        return real(function, args) if kwargs is None else real(function, args, kwargs)
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")
    return spawn_bare(function, args, kwargs or {}).ident


def spawn_bare(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> SimThread:
    """Start a thread that `threading` knows nothing of: nobody joins it, its errors are told on stderr."""
    me = LOCAL.thread
    assert me is not None
    name = getattr(function, "__name__", type(function).__name__)
    made = me.kernel.spawn(me.process, name, partial(_run, function, args, kwargs))
    made.daemon = True
    return made


def _run(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        function(*args, **kwargs)
    except (SystemExit, Killed):
        pass  # SystemExit ends a thread without a word, as `_thread.exit` does
    except BaseException:  # noqa: BLE001 - as the interpreter: told, then forgotten
        me = LOCAL.thread
        if (me is None or not me.killed) and sys.stderr is not None:
            print(f"Exception ignored in thread started by: {function!r}\n{traceback.format_exc()}", file=sys.stderr)
    finally:
        # Whoever asks for `threading.current_thread` here is given a dummy, which would stay for the next one that
        # gets this thread's number.
        table: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
        table.pop(_thread.get_ident(), None)
