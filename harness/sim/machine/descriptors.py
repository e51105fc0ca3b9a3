"""Open files under numbers, shared between processes as POSIX shares them.

A number belongs to one process; the open file behind it may be open under several numbers and in several processes, and
closes when the last of them does. Simulated numbers begin at `FIRST` and are never given twice in a world, so that a
number that is passed to a child keeps its value there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from harness.sim.polling import not_yet
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

FIRST: Final = 100_000_000
"""The smallest number of a simulated descriptor; below it are those of the real operating system."""
POLL_READ: Final = select.POLLIN | select.POLLHUP | select.POLLERR
POLL_WRITE: Final = select.POLLOUT | select.POLLERR


def failure(code: int, what: object = None) -> OSError:
    """The exception that the operating system would cause, for example ``failure(errno.EBADF)``."""
    return OSError(code, os.strerror(code)) if what is None else OSError(code, os.strerror(code), what)


def would_block(code: int = errno.EAGAIN) -> OSError:
    """`failure` of a call that does not wait: who makes it over and over polls."""
    not_yet()
    return failure(code)


class OpenFile:
    """What a number stands for. Subclasses say when it is ready, and what reading, writing and the end mean.

    `watchers` are called when readiness may have changed; they must not wait.
    """

    kind: str = "file"
    mode: int = stat.S_IFREG | 0o600

    def __init__(self, kernel: Kernel, what: str) -> None:
        self.kernel = kernel
        self.what = what
        self.references = 0
        self.nonblocking = False
        self.watchers: list[Callable[[], None]] = []
        self.readers = WaitQueue(kernel, f"{what} to be readable")
        self.writers = WaitQueue(kernel, f"{what} to be writable")

    def poll(self) -> int:
        """What `select.poll` says of it now, as a mask of ``POLLIN``, ``POLLOUT``, ``POLLHUP``, ``POLLERR``."""
        return select.POLLIN | select.POLLOUT

    def events(self) -> int:
        """What a selector says of it now: a mask of ``EVENT_READ`` and ``EVENT_WRITE``."""
        mask = self.poll()
        return (selectors.EVENT_READ if mask & POLL_READ else 0) | (selectors.EVENT_WRITE if mask & POLL_WRITE else 0)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, waiting for the first unless it is non-blocking."""
        raise failure(errno.EBADF)

    def write(self, data: bytes) -> int:
        """Take bytes, waiting for room unless it is non-blocking; the number taken."""
        raise failure(errno.EBADF)

    def status(self) -> os.stat_result:
        """What ``os.fstat`` says."""
        return os.stat_result((self.mode, id(self) & 0xFFFFFFFF, 0, 1, os.getuid(), os.getgid(), 0, 0, 0, 0))

    def became_readable(self) -> None:
        """Tell whoever waits to read, and all watchers."""
        if self.readers:
            self.readers.notify_all()
        self._tell()

    def became_writable(self) -> None:
        """Tell whoever waits to write, and all watchers."""
        if self.writers:
            self.writers.notify_all()
        self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def acquire(self) -> None:
        """One more number, or one more call under way, stands for it."""
        self.references += 1

    def release(self) -> None:
        """One fewer; the last one ends it."""
        self.references -= 1
        if self.references == 0:
            self.ended()

    def ended(self) -> None:
        """Nobody has it open any more."""

    def block(self, queue: WaitQueue, ready: Callable[[], bool], timeout: int | None = None) -> bool:
        """Park until `ready`, `timeout` microseconds at most; whether it became so."""
        kernel = self.kernel
        deadline = None if timeout is None else kernel.now + timeout
        while not ready():
            left = None if deadline is None else deadline - kernel.now
            if left is not None and left <= 0:
                return False
            queue.wait(left)
        return True


class Descriptor:
    """One number in one process."""

    __slots__ = ("file", "inheritable", "number", "table")

    def __init__(self, table: DescriptorTable, number: int, file: OpenFile, inheritable: bool) -> None:
        self.table, self.number, self.file, self.inheritable = table, number, file, inheritable

    def events(self) -> int:
        """What is ready now; a number that was closed is ready for both, and the next call on it says why."""
        if self.table.entries.get(self.number) is not self:
            return selectors.EVENT_READ | selectors.EVENT_WRITE
        return self.file.events()

    @property
    def watchers(self) -> list[Callable[[], None]]:
        """Called when `events` may have changed."""
        return self.file.watchers

    def close(self) -> None:
        """Give the number up; a second call does nothing."""
        if self.table.entries.get(self.number) is self:
            self.table.close(self.number)


class DescriptorTable:
    """The numbers of one process. `entries` is that process's ``descriptors``."""

    def __init__(self, numbers: Iterator[int], entries: dict[int, Descriptor]) -> None:
        self._numbers = numbers
        self.entries = entries
        self._held: dict[int, OpenFile] = {}
        self._holds = 0
        self.closed = False

    def add(self, file: OpenFile, number: int | None = None, *, inheritable: bool = False) -> Descriptor:
        """Open `file` under a new number, or under `number`, whose former file is closed."""
        if number is None:
            number = next(self._numbers)
        elif number in self.entries:
            self.close(number)
        file.acquire()
        entry = self.entries[number] = Descriptor(self, number, file, inheritable)
        return entry

    def get(self, number: int) -> Descriptor:
        """The entry of a number. Raises OSError (EBADF)."""
        entry = self.entries.get(number)
        if entry is None:
            raise failure(errno.EBADF)
        return entry

    def close(self, number: int) -> None:
        """Close a number. Raises OSError (EBADF)."""
        entry = self.entries.pop(number, None)
        if entry is None:
            raise failure(errno.EBADF)
        file = entry.file
        file.release()
        # Whoever polls this number must notice that it is gone; whoever is parked in a call on it is not woken,
        # as on Linux: the call holds the open file.
        file._tell()

    @contextlib.contextmanager
    def holding(self, file: OpenFile) -> Iterator[None]:
        """Keep `file` open while a call on it waits, or until the process dies."""
        self._holds += 1
        token = self._holds
        file.acquire()
        self._held[token] = file
        try:
            yield
        finally:
            if self._held.pop(token, None) is not None:
                file.release()

    def close_all(self) -> None:
        """The process is dead: everything closes, calls that were under way included."""
        self.closed = True
        entries = list(self.entries.values())
        self.entries.clear()
        held = list(self._held.values())
        self._held.clear()
        for file in (*(entry.file for entry in entries), *held):
            file.release()
