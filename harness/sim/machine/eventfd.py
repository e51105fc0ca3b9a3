"""Event counters behind a descriptor (eventfd(2))."""

from __future__ import annotations

import errno
import os
import select
import struct
import sys
from typing import TYPE_CHECKING, Final

from harness.sim.machine.descriptors import OpenFile, failure, would_block

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.machine.machine import Machine

_MOST: Final = 2**64 - 2
_SIZE: Final = 8


class EventCounter(OpenFile):
    """A counter: writing adds, reading takes all of it, or one with ``EFD_SEMAPHORE``."""

    kind = "eventfd"

    def __init__(self, kernel: Kernel, what: str, count: int, *, by_one: bool) -> None:
        super().__init__(kernel, what)
        self.count = count
        self._by_one = by_one

    def poll(self) -> int:
        """POLLIN above zero, POLLOUT while one more fits."""
        return (select.POLLIN if self.count else 0) | (select.POLLOUT if self.count < _MOST else 0)

    def read(self, size: int) -> bytes:
        """Eight bytes: what the counter held. Raises BlockingIOError."""
        if size < _SIZE:
            raise failure(errno.EINVAL)
        if not self.count:
            if self.nonblocking:
                raise would_block()
            self.block(self.readers, lambda: self.count > 0)
        taken = 1 if self._by_one else self.count
        self.count -= taken
        self.became_writable()
        return taken.to_bytes(_SIZE, sys.byteorder)

    def write(self, data: bytes) -> int:
        """Add what eight bytes say. Raises BlockingIOError."""
        if len(data) < _SIZE:
            raise failure(errno.EINVAL)
        more = int.from_bytes(data[:_SIZE], sys.byteorder)
        if more > _MOST:
            raise failure(errno.EINVAL)
        if self.count + more > _MOST:
            if self.nonblocking:
                raise would_block()
            self.block(self.writers, lambda: self.count + more <= _MOST)
        self.count += more
        if more:
            self.became_readable()
        return _SIZE


class EventCalls:
    """``os.eventfd``, ``os.eventfd_read``, ``os.eventfd_write``."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def eventfd(self, initval: int, flags: int = os.EFD_CLOEXEC) -> int:
        """A new counter."""
        machine = self._machine
        counter = EventCounter(
            machine.kernel,
            f"eventfd {machine.name_of('eventfd')}",
            struct.unpack("I", struct.pack("I", initval))[0],
            by_one=bool(flags & os.EFD_SEMAPHORE),
        )
        counter.nonblocking = bool(flags & os.EFD_NONBLOCK)
        return machine.state().table.add(counter, inheritable=not flags & os.EFD_CLOEXEC).number

    def eventfd_read(self, fd: int) -> int:
        """What the counter held."""
        return int.from_bytes(os.read(fd, _SIZE), sys.byteorder)

    def eventfd_write(self, fd: int, value: int) -> None:
        """Add to the counter."""
        os.write(fd, value.to_bytes(_SIZE, sys.byteorder))
