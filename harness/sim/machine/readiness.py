"""Waiting for any of several simulated descriptors: ``select.select``, ``poll``, ``epoll``."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from harness.sim.errors import NotSimulated
from harness.sim.machine.descriptors import POLL_READ, POLL_WRITE, Descriptor, failure
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

EPOLLET = getattr(select, "EPOLLET", 1 << 31)


class Watch:
    """One call that waits for any of several descriptors."""

    def __init__(self, machine: Machine, what: str) -> None:
        self._kernel = machine.kernel
        self._queue = WaitQueue(machine.kernel, what)

    def wait(self, watched: Sequence[Descriptor], look: Callable[[], Any], timeout: int | None) -> Any:
        """What `look` answers as soon as that is true, or after `timeout` microseconds."""
        found = look()
        if found or timeout == 0:
            if not found:
                # Whoever polls without waiting gives others their turn, or nothing could ever become ready.
                self._kernel.yield_()
                found = look()
            return found
        deadline = None if timeout is None else self._kernel.now + timeout
        for descriptor in watched:
            descriptor.watchers.append(self._notify)
        try:
            while True:
                left = None if deadline is None else deadline - self._kernel.now
                if left is not None and left <= 0:
                    return look()
                self._queue.wait(left)
                if found := look():
                    return found
        finally:
            for descriptor in watched:
                if self._notify in descriptor.watchers:
                    descriptor.watchers.remove(self._notify)

    def _notify(self) -> None:
        if self._queue:
            self._queue.notify_all()


def number_of(thing: Any) -> int:
    """The number of a descriptor or of whatever has a ``fileno``. Raises ValueError, TypeError."""
    number = thing if isinstance(thing, int) else thing.fileno()
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return int(number)


def find(machine: Machine, number: int) -> Descriptor | None:
    """The simulated descriptor; None for a real file, which is always ready. Fences what else is real."""
    entry = machine.state().table.entries.get(number)
    if entry is not None:
        return entry
    mode = os.fstat(number).st_mode  # raises EBADF for what is not open
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        return None
    raise NotSimulated(
        f"waiting for real descriptor {number} is not simulated: it was opened outside of the world; "
        f"open the pipe or socket inside"
    )


class Selects:
    """``select.select`` for one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def select(
        self, rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """As `select.select`; exceptional conditions are never met. Raises OSError (EBADF), ValueError."""
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be non-negative")
        reading, writing = self._resolve(rlist), self._resolve(wlist)
        self._resolve(xlist)

        def look() -> tuple[list[Any], list[Any], list[Any]] | None:
            readable = [thing for thing, entry in reading if entry is None or _poll(entry) & POLL_READ]
            writable = [thing for thing, entry in writing if entry is None or _poll(entry) & POLL_WRITE]
            return (readable, writable, []) if readable or writable else None

        watched = [entry for _, entry in (*reading, *writing) if entry is not None]
        limit = None if timeout is None else self._machine.us(timeout)
        what = f"select of {', '.join(str(entry.number) for entry in watched) or 'nothing'}"
        return Watch(self._machine, what).wait(watched, look, limit) or ([], [], [])

    def _resolve(self, things: Iterable[Any]) -> list[tuple[Any, Descriptor | None]]:
        return [(thing, find(self._machine, number_of(thing))) for thing in things]


def _poll(entry: Descriptor) -> int:
    """The poll mask of a descriptor; POLLNVAL with everything once its number is closed."""
    if entry.table.entries.get(entry.number) is not entry:
        return select.POLLNVAL | POLL_READ | POLL_WRITE
    return entry.file.poll()


class SimPoll:
    """``select.poll()``."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._masks: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT, /) -> None:
        """Watch a descriptor; a second time changes the mask."""
        self._masks[number_of(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Change a mask. Raises OSError (ENOENT)."""
        number = number_of(fd)
        if number not in self._masks:
            raise failure(errno.ENOENT)
        self._masks[number] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Watch it no longer. Raises KeyError."""
        del self._masks[number_of(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """What is ready, within `timeout` milliseconds; negative or None: without limit."""
        limit = None if timeout is None or timeout < 0 else self._machine.us(timeout / 1000)
        return self._wait(limit)

    def _wait(self, limit: int | None) -> list[tuple[int, int]]:
        entries: list[tuple[int, Descriptor | None, int]] = []
        for number, mask in self._masks.items():
            try:
                entries.append((number, find(self._machine, number), mask))
            except OSError:
                return [(number, select.POLLNVAL)]

        def look() -> list[tuple[int, int]]:
            found = []
            for number, entry, mask in entries:
                ready = mask & (select.POLLIN | select.POLLOUT) if entry is None else _asked(_poll(entry), mask)
                if ready:
                    found.append((number, ready))
            return found

        watched = [entry for _, entry, _ in entries if entry is not None]
        what = f"poll of {', '.join(map(str, self._masks)) or 'nothing'}"
        answer: list[tuple[int, int]] = Watch(self._machine, what).wait(watched, look, limit) or []
        return answer


def _asked(state: int, mask: int) -> int:
    """Errors and hang-ups are told unasked (poll(2))."""
    if state & select.POLLNVAL:
        return select.POLLNVAL
    return state & (mask | select.POLLERR | select.POLLHUP)


class SimEpoll(SimPoll):
    """``select.epoll()``, level-triggered. Its own number does not count as a descriptor."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.closed = False

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT) -> None:
        """Watch a descriptor. Raises FileExistsError, NotSimulated (edge-triggered)."""
        if eventmask & EPOLLET:
            raise NotSimulated("epoll.register(EPOLLET) is not simulated: only level-triggered readiness is")
        number = number_of(fd)
        if number in self._masks:
            raise failure(errno.EEXIST)
        if find(self._machine, number) is None:
            raise failure(errno.EPERM)
        self._masks[number] = eventmask

    def unregister(self, fd: Any) -> None:
        """Watch it no longer. Raises OSError (ENOENT)."""
        if self._masks.pop(number_of(fd), None) is None:
            raise failure(errno.ENOENT)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """What is ready, within `timeout` **seconds**; negative or None: without limit."""
        for number in list(self._masks):
            if number not in self._machine.state().table.entries:
                del self._masks[number]  # closing a descriptor takes it out of every epoll
        limit = None if timeout is None or timeout < 0 else self._machine.us(timeout)
        found = self._wait(limit)
        return found if maxevents < 0 else found[:maxevents]

    def close(self) -> None:
        """Give it up."""
        self.closed = True
        self._masks.clear()

    def fileno(self) -> int:
        """Raises NotSimulated: an epoll of an epoll."""
        raise NotSimulated("epoll.fileno() is not simulated: an epoll cannot be waited for itself")

    def __enter__(self) -> SimEpoll:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
