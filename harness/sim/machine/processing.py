"""Module `multiprocessing` between threads: its pipes are simulated, its semaphores are waited for in virtual time.

All simulated processes live in one real process. What is simulated is waiting, nothing else: `multiprocessing`'s locks,
semaphores, conditions, events and queues are Python over these.
"""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
import multiprocessing.connection
import multiprocessing.synchronize
import multiprocessing.util
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.sim.kernel import current_thread
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_RealSemLock = _multiprocessing.SemLock


def semaphore_class(machine: Machine) -> type[Any]:
    """What stands for ``_multiprocessing.SemLock`` in one world."""

    class SemLock:
        """Threads of the host get a real one."""

        SEM_VALUE_MAX = _RealSemLock.SEM_VALUE_MAX

        def __new__(cls, *arguments: Any, **options: Any) -> Any:
            if current_thread() is None:
                return _RealSemLock(*arguments, **options)
            return _SimSemLock(machine, _RealSemLock(*arguments, **options))

        @staticmethod
        def _rebuild(*arguments: Any) -> Any:
            real = _RealSemLock._rebuild(*arguments)
            return real if current_thread() is None else _SimSemLock(machine, real)

    return SemLock


class _SimSemLock:
    """One semaphore. What is not about waiting is the real one's."""

    def __init__(self, machine: Machine, real: Any) -> None:
        self._machine = machine
        self._real = real
        self._freed = WaitQueue(machine.kernel, "a semaphore of multiprocessing")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take it, waiting up to `timeout` seconds, None: for ever."""
        real, kernel = self._real, self._machine.kernel
        if real.acquire(False):
            return True
        if not block or current_thread() is None:
            return bool(real.acquire(block, timeout))
        self._machine.state()  # refuses the dead
        end = None if timeout is None else kernel.now + self._machine.us(max(timeout, 0.0))
        while end is None or kernel.now < end:
            self._freed.wait(None if end is None else end - kernel.now)
            if real.acquire(False):
                return True
        return False

    __enter__ = acquire

    def release(self) -> None:
        """Let it go."""
        self._real.release()
        if current_thread() is not None:
            self._freed.notify()

    def __exit__(self, *exc: object) -> None:
        self.release()


def early_bindings() -> list[tuple[type[Any], str, Callable[..., Any]]]:
    """Methods that have bound functions of `os` as default arguments: class, name, and what looks them up at each call.

    Their modules are imported with this one, before any world, lest they bind the functions of one world for the next.
    """
    pipe, finalizer = multiprocessing.connection.Connection, multiprocessing.util.Finalize
    found: list[tuple[type[Any], str, Callable[..., Any]]] = [
        (pipe, name, _looking_up(getattr(pipe, name), function))
        for name, function in (("_send", "write"), ("_recv", "read"), ("_close", "close"))
    ]
    return [*found, (finalizer, "__call__", _asking_who(finalizer.__call__))]


def fresh_names() -> tuple[type[Any], str, object]:
    """Random names of semaphores, begun anew: their class keeps them, and would draw a seed in the first world only."""
    names: Any = multiprocessing.synchronize.SemLock
    return names, "_rand", type(names._rand)()


def _looking_up(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any) -> Any:
        return method(self, *arguments, getattr(os, name))

    return call


def _asking_who(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, wr: Any = None) -> Any:
        return method(self, wr, getpid=os.getpid)

    return call
