"""Paths that name a descriptor of whoever opens them: ``/dev/stdin``, ``/dev/fd/N``, ``/proc/self/fd/N``."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

from harness.sim.boundary.fences import refusal
from harness.sim.boundary.registry import Boundary, How
from harness.sim.machine.descriptors import FIRST, OpenFile, failure
from harness.sim.machine.pipes import PipeReader, PipeWriter
from harness.sim.machine.streams import Endpoint

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_STANDARD: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_NUMBERED: Final = re.compile(r"/(?:dev/fd|proc/(?P<process>self|thread-self|\d+)/fd)/(?P<number>\d+)")
_WHY: Final = "the descriptor of the process that opens it; whether it exists, and links to it, are the real process's"

BOUNDARY = tuple(
    Boundary(name, How.SIMULATED, _WHY) for name in (*_STANDARD, "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")
)


def named(machine: Machine, path: Any, flags: int) -> tuple[Any, OpenFile | None]:
    """What opening `path` with `flags` comes to for the running process: a path for the real system, or an open file.

    A regular file is opened anew by the real system, as on Linux, with a position of its own; whatever waits is the
    same open file under one more number. Any other path is given back as it is.

    :raises OSError: the process has no such descriptor (ENOENT), or it is a socket (ENXIO).
    :raises NotSimulated: the other end of a pipe is asked for.
    """
    number = _number_in(path, machine.kernel.current_process.pid)
    if number is None:
        return path, None
    entry = machine.state().table.entries.get(number)
    if entry is None:
        if number >= FIRST or number in machine.ghosts or (number in _STANDARD.values() and machine.is_child()):
            raise failure(errno.ENOENT, path)
        return path, None  # a real one, of the first process or of a file object in C
    file, real = entry.file, getattr(entry.file, "real", None)
    if real is not None and stat.S_ISREG(file.status().st_mode):
        return f"/proc/self/fd/{real}", None
    _require_open(file, path, flags)
    return path, file


def _number_in(path: Any, pid: int) -> int | None:
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    text = os.fsdecode(path)
    if text in _STANDARD:
        return _STANDARD[text]
    found = _NUMBERED.fullmatch(text)
    if found is None or found["process"] not in (None, "self", "thread-self", str(pid)):
        return None
    return int(found["number"])


def _require_open(file: OpenFile, path: Any, flags: int) -> None:
    if isinstance(file, Endpoint):
        raise failure(errno.ENXIO, path)
    access = flags & os.O_ACCMODE
    if isinstance(file, PipeReader | PipeWriter) and (
        access == os.O_RDWR or isinstance(file, PipeReader) is not (access == os.O_RDONLY)
    ):
        raise refusal(f"open({os.fsdecode(path)!r})", "it would be the other end of a pipe; use os.pipe, pass that end")
