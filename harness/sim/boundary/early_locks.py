"""Exchanges the locks that a program's modules made before the world began.

A thread that waits for such a lock would wait in real time with the baton in its hand, while who holds it sleeps in
virtual time: for ever. Events, conditions, semaphores and queues need no exchange: what their waiters wait for is made
when they wait.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from harness.sim.boundary.patcher import Patcher

_LOCK: Final = type(threading.Lock())
_RLOCK: Final = type(threading.RLock())
_HELD_HERE: Final = 3
"""References to a lock that `install` itself has: the table's, the loop's, the question's."""

Own = Callable[[object, str, Callable[[], Any]], None]


def install(patcher: Patcher, own: Own) -> None:
    """Give every lock in a global, or in an attribute of a class, of the program's own modules one of the world.

    Each simulated process has its own. Left alone are locks that are held, and those that something else refers to as
    well, a condition made over it, say: it would then wait for another lock.
    """
    for value, holders in _locks().values():
        if sys.getrefcount(value) != len(holders) + _HELD_HERE or not value.acquire(blocking=False):
            continue
        value.release()
        make: Callable[[], Any] = threading.RLock if type(value) is _RLOCK else threading.Lock
        made = make()
        for owner, name in holders:
            patcher.set(owner, name, made)
        if len(holders) == 1:
            own(*holders[0], make)


def _locks() -> dict[int, tuple[Any, list[tuple[Any, str]]]]:
    """Locks of the program, with all names that they go by."""
    found: dict[int, tuple[Any, list[tuple[Any, str]]]] = {}
    for owner in _owners():
        for name, value in list(vars(owner).items()):
            if type(value) in (_LOCK, _RLOCK):
                found.setdefault(id(value), (value, []))[1].append((owner, name))
    return found


def _owners() -> Iterator[Any]:
    """The program's modules: neither the libraries' nor the simulation's; and the classes that they define."""
    libraries = tuple(sorted({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "purelib", "platlib")}))
    for label, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or label.startswith("harness.sim"):
            continue
        space = object.__getattribute__(module, "__dict__")  # a lazy module must not load because we look at it
        file = space.get("__file__")
        if label != "__main__" and (not isinstance(file, str) or file.startswith((*libraries, "<"))):
            continue
        yield module
        yield from (kind for kind in list(space.values()) if isinstance(kind, type) and kind.__module__ == label)
