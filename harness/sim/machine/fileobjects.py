"""File objects over simulated descriptors.

The buffers are those of the `_pyio` module: the C ones hold a lock of the interpreter while they read or write, and a
thread that parks inside would stop every real thread that touches the same object.
"""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found,unused-ignore]
import io
import os
import socket
import threading
from typing import Any


class SimFileIO(io.RawIOBase):
    """What `io.FileIO` is for real descriptors: reads and writes a number of this process.

    ``os.read``, ``os.write`` and ``os.close`` are looked up at each call: they are those of the simulated machine.
    """

    def __init__(self, number: int, mode: str, closefd: bool = True) -> None:
        self._number, self._closefd = number, closefd
        self.mode = mode
        self.name: Any = number

    def readable(self) -> bool:
        """Whether its mode says so."""
        return "r" in self.mode or "+" in self.mode

    def writable(self) -> bool:
        """Whether its mode says so."""
        return any(letter in self.mode for letter in "wax+")

    def fileno(self) -> int:
        """The number. Raises ValueError when closed."""
        self._require_open()
        return self._number

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def isatty(self) -> bool:
        """Never."""
        return False

    def readinto(self, buffer: Any) -> int | None:
        """Read into `buffer`; None when non-blocking and nothing is there."""
        self._require_open()
        view = memoryview(buffer).cast("B")
        try:
            data = os.read(self._number, len(view))
        except BlockingIOError:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int | None:
        """Write once; None when non-blocking and there is no room."""
        self._require_open()
        try:
            return os.write(self._number, bytes(data))
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close the number, unless it was lent."""
        if self.closed:
            return
        super().close()
        if self._closefd:
            os.close(self._number)

    def let_go(self) -> None:
        """Be closed without a call: the world is over, and the number is nobody's, or another's in a world to come."""
        self._closefd = False
        super().close()


class _Reader(_pyio.BufferedReader):  # type: ignore[misc,no-any-unimported,unused-ignore]
    def __init__(self, raw: Any, size: int) -> None:
        super().__init__(raw, size)
        self._read_lock = threading.Lock()


class _Writer(_pyio.BufferedWriter):  # type: ignore[misc,no-any-unimported,unused-ignore]
    def __init__(self, raw: Any, size: int) -> None:
        super().__init__(raw, size)
        self._write_lock = threading.Lock()


class _Pair(io.BufferedIOBase):
    """A reader and a writer in one; `_pyio.BufferedRWPair` has no ``raw``, which `socket.makefile` users look at."""

    def __init__(self, raw: Any, size: int) -> None:
        self.raw = raw
        self._reader, self._writer = _Reader(raw, size), _Writer(raw, size)

    def read(self, size: int | None = -1) -> bytes:
        return self._reader.read(-1 if size is None else size)  # type: ignore[no-any-return]

    def read1(self, size: int = -1) -> bytes:
        return self._reader.read1(size)  # type: ignore[no-any-return]

    def readinto(self, buffer: Any) -> int:
        return self._reader.readinto(buffer)  # type: ignore[no-any-return]

    def peek(self, size: int = 0) -> bytes:
        return self._reader.peek(size)  # type: ignore[no-any-return]

    def write(self, data: Any) -> int:
        return self._writer.write(data)  # type: ignore[no-any-return]

    def flush(self) -> None:
        if not self._writer.closed:
            self._writer.flush()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self.raw.fileno())

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
        finally:
            super().close()
            self.raw.close()


def buffered(raw: Any, *, reading: bool, writing: bool, size: int = io.DEFAULT_BUFFER_SIZE) -> Any:
    """A buffer over `raw`, as `io.open` would choose it."""
    if reading and writing:
        return _Pair(raw, size)
    return _Writer(raw, size) if writing else _Reader(raw, size)


def open_number(
    number: int,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: object = None,
) -> Any:
    """What ``open(number, ...)`` gives for a simulated descriptor; the arguments are those of `open`."""
    del opener  # meant for names
    binary = "b" in mode
    raw = SimFileIO(number, mode.replace("b", "").replace("t", ""), closefd)
    if buffering == 0:
        if not binary:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    buffer = buffered(raw, reading=raw.readable(), writing=raw.writable(), size=size)
    if binary:
        return buffer
    text = io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering=buffering == 1)
    text.mode = mode  # type: ignore[misc]
    return text


def raw_of(opened: Any) -> SimFileIO:
    """The raw file under what `open_number` gave."""
    while not isinstance(opened, SimFileIO):
        opened = opened.buffer if isinstance(opened, io.TextIOWrapper) else opened.raw
    return opened


def socket_file(owner: socket.socket, mode: str, buffering: int, options: dict[str, Any]) -> Any:
    """What ``owner.makefile(mode, buffering, **options)`` gives; a negative `buffering` is the usual one."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing, reading = "w" in mode, "r" in mode or "w" not in mode
    raw = socket.SocketIO(owner, ("r" if reading else "") + ("w" if writing else ""))  # type: ignore[arg-type]
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
    buffer = buffered(raw, reading=reading, writing=writing, size=size)
    if "b" in mode:
        return buffer
    text = io.TextIOWrapper(buffer, **options)
    text.mode = mode  # type: ignore[misc]
    return text
