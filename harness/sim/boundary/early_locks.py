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
Holders = list[tuple[Any, str]]
"""The names that a lock goes by: modules or classes, and the attributes."""
Own = Callable[[object, str, Callable[[], Any]], None]


def install(patcher: Patcher, own: Own) -> None:
    """Give every lock in a global, or in an attribute of a class, of the program's own modules one of the world.

    Each simulated process has its own, under all of its names. Left alone are locks that are held, and those that
    something else refers to as well, a condition made over it, say: it would then wait for another lock.
    """
    for value, holders, references in _counted(_locks()):
        if references != len(holders) + _HELD_HERE or not value.acquire(blocking=False):
            continue
        value.release()
        lock = _OneForAProcess(threading.RLock if type(value) is _RLOCK else threading.Lock)
        made = lock.first()
        for owner, name in holders:
            patcher.set(owner, name, made)
        for nth, (owner, name) in enumerate(holders):
            own(owner, name, lock.again if nth else lock.first)


class _OneForAProcess:
    """A lock of several names. A process is given the values of its names in the order in which they were declared."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def first(self) -> Any:
        """The first name's: a new one."""
        self._made = self._make()
        return self._made

    def again(self) -> Any:
        """Another name's: the one that this process has already."""
        return self._made


def _counted(found: dict[int, tuple[Any, Holders]]) -> Iterator[tuple[Any, Holders, int]]:
    """With the number of references to each lock; those of this loop are among them."""
    for value, holders in found.values():
        yield value, holders, sys.getrefcount(value)


_HELD_HERE: Final = next(_counted({0: (threading.Lock(), [])}))[2]
"""References to a lock that has no name. Counted, since versions of CPython count differently."""


def _locks() -> dict[int, tuple[Any, Holders]]:
    """Locks of the program, with all names that they go by."""
    found: dict[int, tuple[Any, Holders]] = {}
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
