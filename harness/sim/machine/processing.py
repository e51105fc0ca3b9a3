"""What module `multiprocessing` keeps in its own modules: bound early, drawn once, or one for each process.

Locks, semaphores, conditions, events and queues are Python over the semaphores in `harness.sim.machine.semaphores`.
"""

from __future__ import annotations

import multiprocessing.connection
import multiprocessing.resource_tracker
import multiprocessing.synchronize
import multiprocessing.util
import os
import threading
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.sim.kernel import current_thread
from harness.sim.machine.descriptors import FIRST

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine


def early_bindings() -> list[tuple[type[Any], str, Callable[..., Any]]]:
    """Methods that have bound functions of `os` as default arguments: class, name, and what looks them up at each call.

    Their modules are imported with this one, before any world, lest they bind the functions of one world for the next.
    """
    pipe, finalizer = multiprocessing.connection.Connection, multiprocessing.util.Finalize
    found: list[tuple[type[Any], str, Callable[..., Any]]] = [
        (pipe, name, _looking_up(getattr(pipe, name), function))
        for name, function in (("_send", "write"), ("_recv", "read"), ("_close", "close"))
    ]
    kept: Any = multiprocessing.connection._ConnectionBase
    found.append((kept, "__init__", _keeping(kept.__init__)))
    return [*found, (finalizer, "__call__", _asking_who(finalizer.__call__))]


def fresh_names() -> tuple[type[Any], str, object]:
    """Random names of semaphores, begun anew: their class keeps them, and would draw a seed in the first world only."""
    names: Any = multiprocessing.synchronize.SemLock
    return names, "_rand", type(names._rand)()


def kept_by_each_process() -> list[tuple[Any, str, Callable[[], Any]]]:
    """What every process has for itself: object, name, and what makes it.

    The tracker of resources, a process with a pipe to it: neither may be carried out of a world, or into one. The
    functions that a process calls when it ends: those of the others are none of its business.
    """
    tracker: Any = multiprocessing.resource_tracker._resource_tracker
    made: dict[str, Callable[[], Any]] = {"_lock": threading.RLock, "_fd": _nothing, "_pid": _nothing}
    made["_exitcode"] = _nothing  # since Python 3.13
    found = [(tracker, name, make) for name, make in made.items() if hasattr(tracker, name)]
    return [*found, (multiprocessing.util, "_finalizer_registry", dict)]


def cleaning_up(semaphore: Callable[..., Any], segment: Callable[..., Any]) -> tuple[Any, str, dict[str, Any]]:
    """The table of what the tracker does about resources left behind, of one world: it has bound the functions."""
    tracker: Any = multiprocessing.resource_tracker
    changed = {"semaphore": semaphore, "shared_memory": segment}
    return tracker, "_CLEANUP_FUNCS", {**tracker._CLEANUP_FUNCS, **changed}


def warnings_of_the_living(machine: Machine) -> tuple[Any, str, object]:
    """Module `warnings` as the tracker sees it: of resources left behind it must not speak while a world is unwound."""

    def warn(message: str, category: type[Warning] = UserWarning, stacklevel: int = 1) -> None:
        if current_thread() is not None:
            machine.state()  # refuses the dead
        warnings.warn(message, category, stacklevel + 1)

    return multiprocessing.resource_tracker, "warnings", SimpleNamespace(warn=warn)


def _nothing() -> None:
    return None


def _looking_up(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any) -> Any:
        return method(self, *arguments, getattr(os, name))

    return call


def _keeping(method: Callable[..., None]) -> Callable[..., None]:
    """Have the machine know of a connection, which closes its number when it is collected: after the world, perhaps."""

    def begin(self: Any, *arguments: Any, **named: Any) -> None:
        method(self, *arguments, **named)
        thread = current_thread()
        if thread is not None:
            thread.kernel.machine.keepers.add(self)  # type: ignore[attr-defined]

    return begin


def let_go(connection: Any) -> None:
    """Make a connection over a simulated descriptor a closed one, without a call: its world is over."""
    if connection._handle is not None and connection._handle >= FIRST:
        connection._handle = None


def _asking_who(method: Callable[..., Any]) -> Callable[..., Any]:
    util: Any = multiprocessing.util

    def call(self: Any, wr: Any = None) -> Any:
        return method(self, wr, _finalizer_registry=util._finalizer_registry, getpid=os.getpid)

    return call
