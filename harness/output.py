"""Standard output and standard error of a command that may not be writable, on a full disk say.

Where the output ends is no matter of what a command has found: it goes on to its end, says once on standard error what
is wrong, and ends with the code of its verdict, or with `ExitCode.ERROR` where that would be 0. Whoever has asked for
JSON and got half of it must not take that for success.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from harness.errors import ExitCode


class Outlet(io.RawIOBase):
    """The descriptor of a stream; what it refuses goes nowhere from then on, and `failure` says why.

    A reader that has seen enough is none of that: a broken pipe is raised as ever.
    """

    name = "<output>"
    mode = "wb"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.failure: OSError | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        """How many bytes were taken: all, once there has been a failure."""
        size = memoryview(data).nbytes
        if self.failure is not None:
            return size
        while True:
            try:
                return os.write(self._descriptor, data)
            except BrokenPipeError:
                raise
            except BlockingIOError:  # somebody who shares the terminal made it so
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.failure = error
                return size


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Stand in for `sys.stdout` and `sys.stderr`, and mend the exit code at the end of the block.

    A stream that was closed before the start stays away: nobody wanted to read it.
    """
    streams = sys.stdout, sys.stderr
    out, err = (_outlet(stream) for stream in streams)
    sys.stdout, sys.stderr = (_over(outlet, stream) for outlet, stream in zip((out, err), streams, strict=True))
    code: Any = None
    try:
        yield
    except SystemExit as error:
        code = error.code
    finally:
        _flush(sys.stdout)
        failure = None if out is None else out.failure
        if failure is not None:
            _tell(failure)
        _flush(sys.stderr)
        sys.stdout, sys.stderr = streams
    if failure is not None and not code:
        code = int(ExitCode.ERROR)
    if code is not None:
        raise SystemExit(code)


def _outlet(stream: TextIO | None) -> Outlet | None:
    try:
        return None if stream is None else Outlet(stream.fileno())
    except (OSError, ValueError):  # it is no file: somebody catches what is printed
        return None


def _over(outlet: Outlet | None, stream: TextIO) -> TextIO:
    if outlet is None:
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=bool(getattr(stream, "line_buffering", True)),
        write_through=bool(getattr(stream, "write_through", False)),
    )


def _flush(stream: TextIO | None) -> None:
    """Write what is left; a reader that is gone by now is no matter."""
    if stream is None:
        return
    try:
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes it once more at its end.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _tell(failure: OSError) -> None:
    if sys.stderr is not None:
        text = f"harness: standard output cannot be written: {failure.strerror}; send it elsewhere, or make room"
        print(text, file=sys.stderr)
