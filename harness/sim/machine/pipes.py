"""Pipes: a buffer with two ends (pipe(7))."""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import TYPE_CHECKING, Final

from harness.sim.machine.descriptors import OpenFile, failure, would_block

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

CAPACITY: Final = 65_536
"""Bytes that a pipe holds on Linux."""
ATOMIC: Final = 4_096
"""``PIPE_BUF``: a write of so many bytes or fewer happens as a whole or not at all."""


class PipeReader(OpenFile):
    """The end that is read."""

    kind = "pipe"
    mode = stat.S_IFIFO | 0o600

    def __init__(self, kernel: Kernel, what: str) -> None:
        super().__init__(kernel, what)
        self.data = bytearray()
        self.writer: PipeWriter | None = None

    def poll(self) -> int:
        """POLLIN with data, POLLHUP when nobody can write any more."""
        return (select.POLLIN if self.data else 0) | (0 if self.writer else select.POLLHUP)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. Raises BlockingIOError."""
        if not self.data and self.writer is not None and size:
            if self.nonblocking:
                raise would_block()
            self.block(self.readers, lambda: bool(self.data) or self.writer is None)
        taken = bytes(self.data[:size])
        del self.data[:size]
        if taken and self.writer is not None:
            self.writer.became_writable()
        return taken

    def ended(self) -> None:
        """Writers learn of it by EPIPE."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.reader = None
            writer.became_writable()


class PipeWriter(OpenFile):
    """The end that is written."""

    kind = "pipe"
    mode = stat.S_IFIFO | 0o600

    def __init__(self, kernel: Kernel, what: str, reader: PipeReader) -> None:
        super().__init__(kernel, what)
        self.reader: PipeReader | None = reader
        reader.writer = self

    def poll(self) -> int:
        """POLLOUT while an atomic write finds room, POLLERR when nobody can read any more."""
        if self.reader is None:
            return select.POLLOUT | select.POLLERR
        return select.POLLOUT if self._room() >= ATOMIC else 0

    def write(self, data: bytes) -> int:
        """Write all of `data`, or what finds room when non-blocking. Raises BrokenPipeError, BlockingIOError."""
        done = 0
        while True:
            reader = self._open_reader()
            take = self._share(len(data) - done)
            if take:
                reader.data += data[done : done + take]
                done += take
                reader.became_readable()
            if done == len(data):
                return done
            if self.nonblocking:
                if done:
                    return done
                raise would_block()
            missing = len(data) - done
            self.block(self.writers, lambda missing=missing: self.reader is None or self._share(missing) > 0)  # type: ignore[misc]

    def _open_reader(self) -> PipeReader:
        if self.reader is None:
            raise failure(errno.EPIPE)
        return self.reader

    def _room(self) -> int:
        return 0 if self.reader is None else CAPACITY - len(self.reader.data)

    def _share(self, wanted: int) -> int:
        """How much of `wanted` may be written now."""
        room = self._room()
        return 0 if wanted <= ATOMIC and room < wanted else min(wanted, room)

    def ended(self) -> None:
        """Readers learn of it by the end of the file."""
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.writer = None
            reader.became_readable()


class NullFile(OpenFile):
    """``/dev/null``."""

    kind = "null"
    mode = stat.S_IFCHR | 0o666

    def read(self, size: int) -> bytes:
        """Nothing."""
        return b""

    def write(self, data: bytes) -> int:
        """All of it."""
        return len(data)

    def status(self) -> os.stat_result:
        """That of the real one."""
        return os.stat(os.devnull)  # noqa: PTH116 - there is no open file to ask


class OutsideInput(NullFile):
    """What a child reads instead of a terminal or a pipe from outside of the world: nothing."""


def pipe(kernel: Kernel, name: str) -> tuple[PipeReader, PipeWriter]:
    """A new pipe; `name` tells it from others in reports."""
    reader = PipeReader(kernel, f"pipe {name}")
    return reader, PipeWriter(kernel, f"pipe {name}", reader)
