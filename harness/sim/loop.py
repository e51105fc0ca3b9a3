"""The event loop as a client of the kernel.

Order is asyncio's own: callbacks run first in, first out, because that is documented and programs rely on it. What
varies with the seed is which thread goes next, never what happens inside one loop.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import time
from asyncio import events
from collections.abc import Callable
from contextvars import Context
from typing import Any, cast

from harness.sim.boundary.fences import refusal
from harness.sim.boundary.order import SimFuture, numbered_task
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.errors import Killed, NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.selector import SimSelector
from harness.sim.thread import LOCAL

_LOOP = "time is virtual, waiting parks the thread, order inside one loop is asyncio's"

BOUNDARY = (
    Boundary("asyncio.new_event_loop", How.SIMULATED, _LOOP),
    Boundary("asyncio.SelectorEventLoop", How.SIMULATED, _LOOP),
    Boundary("asyncio.EventLoop", How.SIMULATED, _LOOP),
)


_ASYNCIO = frozenset(id(vars(module)) for name, module in sorted(sys.modules.items()) if name.startswith("asyncio."))
"""The globals of asyncio's own modules, which read the loop's clock in every turn, and do not wait by it."""
READS = 1_000
"""Readings of a loop's clock at one instant after which is looked who reads."""

_CALL_AT = asyncio.SelectorEventLoop.call_at


class SimLoop(asyncio.SelectorEventLoop):
    """A selector loop in virtual time; made by `asyncio.run`, `anyio.run`, portals and Tornado inside a world.

    Belongs to the process and kernel of the simulated thread that makes it.
    """

    _task_factory: Any
    _check_closed: Callable[[], None]
    _check_signal: Callable[[int], None]
    _scheduled: list[asyncio.TimerHandle]
    _signal_handlers: dict[int, events.Handle]
    _add_callback_signalsafe: Callable[[events.Handle], None]
    _internal_fds: int
    _closed: bool
    # Bound here, below what refuses real loops: it would be asked in every turn.
    _run_once = cast("Any", asyncio.SelectorEventLoop)._run_once

    def __init__(self, selector: Any = None) -> None:
        me = current_thread()
        if me is None:
            self._closed = True  # or its finalizer complains as well
            raise NotSimulated(
                "a SimLoop can only be made by a thread of a simulated world: open one with harness.sim.World"
            )
        self._process = me.process
        self._kernel = me.process.kernel
        self._read_at = -1
        self._reads = 0
        """Of its clock, at the instant of the last one."""
        self._sim_selector = SimSelector(self._kernel, self._process)
        super().__init__(self._sim_selector)
        # Smaller than the grid: asyncio fires timers up to one resolution early, and what anyio then finds not yet
        # due it arms again, for ever, without time passing.
        self._clock_resolution = 1e-9
        self._sim_selector.armed = self._armed
        self._numbers = itertools.count(1)

    def time(self) -> float:
        """Seconds of the process's monotonic clock. Who reads it over and over pays, as for ``time.monotonic()``."""
        kernel = self._kernel
        if kernel.now != self._read_at:
            self._read_at = kernel.now
            self._reads = 0
        self._reads += 1
        # Only now, because looking at a frame costs more than all the rest.
        if self._reads > READS and id(sys._getframe(1).f_globals) not in _ASYNCIO:
            time.monotonic()
            self._read_at = kernel.now  # time that passed meanwhile was let pass for this loop
        return self._process.clock.monotonic(kernel.now)

    def _armed(self) -> list[asyncio.TimerHandle]:
        """Its timers that are not cancelled."""
        return [timer for timer in self._scheduled if not timer.cancelled()]

    def call_at(  # type: ignore[override] # the stub ties arguments to the callback
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's, with `when` rounded up to the first grid point whose float is not before it."""
        if when == math.inf:
            # anyio.sleep_forever. In the heap it would have the loop look again every day, for ever: a program in which
            # nobody else can run is at a deadlock, and is to be told so.
            return asyncio.TimerHandle(when, callback, args, self, context)
        grid = round(when * 1e6)
        if grid / 1e6 < when:
            grid += 1
        return _CALL_AT(self, grid / 1e6, callback, *args, context=context)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As asyncio's; the task's hash is its number, so that sets of tasks are walked in one order."""
        if self._task_factory is not None:
            return super().create_task(coro, **options)
        self._check_closed()
        return numbered_task(next(self._numbers), self, coro, options)

    def create_future(self) -> asyncio.Future[Any]:
        """As asyncio's, numbered as tasks are: `asyncio.wait` keeps futures in sets."""
        future = SimFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        """Call back in this loop when the simulated process gets the signal."""
        self._check_signal(sig)
        self._check_closed()
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        handle = events.Handle(callback, args, self, None)
        self._signals().on(self._process, sig, lambda: self._signalled(handle))
        self._signal_handlers[sig] = handle

    def remove_signal_handler(self, sig: int) -> bool:
        """Let the signal do what it does by default; whether there was a handler."""
        self._check_signal(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        self._signals().off(self._process, sig)
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio's; who was killed says nothing, not even when its tasks are collected, after its world's end.

        Nor is what ended the world said twice.
        """
        error = context.get("exception")
        ended = error is not None and type(error) is type(self._kernel.failure)
        if not self._process.cut and not ended and not _is_killed(error):
            super().call_exception_handler(context)

    def _signalled(self, handle: events.Handle) -> None:
        self._add_callback_signalsafe(handle)

    def _signals(self) -> Any:
        try:
            from harness.sim.machine import signals
        except ImportError:
            raise refusal("loop.add_signal_handler", "signals need the machine part of the world") from None
        return signals

    def _make_self_pipe(self) -> None:
        """No pipe: `wake` of the selector does what writing to it does."""
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        self._internal_fds -= 1

    def _write_to_self(self) -> None:
        if current_thread() is None:
            raise refusal(
                "call_soon_threadsafe from a real thread", "only threads started inside the world can wake its loops"
            )
        self._sim_selector.wake()


def _is_killed(error: object) -> bool:
    """The end of a thread that was unwound, alone or in the group that a task group made of it."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_killed, error.exceptions))
    return isinstance(error, Killed)


_REAL = asyncio.SelectorEventLoop


class SimPolicy(asyncio.DefaultEventLoopPolicy):
    """The event loop policy inside a world; new for each, so that no thread finds a real loop in it."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A simulated loop for a simulated thread, a real one for a thread of the host."""
        return _REAL() if current_thread() is None else SimLoop()

    def _init_watcher(self) -> None:
        # Not the one over pidfd: a simulated pid has none.
        self._watcher = asyncio.ThreadedChildWatcher()


_REAL_LOOP = (
    "a world was opened in a coroutine of a real event loop, or a real loop runs inside one; it waits in real time, in "
    "which virtual time never comes. Await nothing there: open the world outside, with asyncio.run inside it"
)


def _refuse_real_loops(patcher: Patcher) -> None:
    """A loop that was running when the world was opened would wait for ever: its clock stands still while it waits.

    Coroutines that await nothing inside the world are let be. Of turns only the first is refused: those after it are
    `asyncio.run`'s, which cancels the coroutine, and with that the world is closed.
    """
    base: Any = asyncio.BaseEventLoop
    call_at, run_once = base.call_at, base._run_once
    refused: list[bool] = []

    def timer(self: Any, *args: Any, **options: Any) -> Any:
        if LOCAL.thread is not None:
            raise refusal("a timer of a real event loop", _REAL_LOOP)
        return call_at(self, *args, **options)

    def turn(self: Any) -> None:
        if LOCAL.thread is not None and not refused:
            refused.append(True)
            raise refusal("a turn of a real event loop", _REAL_LOOP)
        run_once(self)

    patcher.set(base, "call_at", timer)
    patcher.set(base, "_run_once", turn)


def install(patcher: Patcher) -> None:
    """Have every way of asking for an event loop give a `SimLoop`."""
    _refuse_real_loops(patcher)
    patcher.set(events, "_event_loop_policy", SimPolicy())
    for owner in (asyncio, asyncio.unix_events):
        for name in ("SelectorEventLoop", "EventLoop", "_UnixSelectorEventLoop"):
            if hasattr(owner, name):
                patcher.set(owner, name, SimLoop)
