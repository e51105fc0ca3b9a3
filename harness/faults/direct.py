"""Injecting one fault by hand, at whatever a test holds: a pid, a process, a file, a socket, a mock handler."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import zmq

from harness.errors import FaultError, UsageError
from harness.faults.base import Alone, Fault
from harness.faults.registry import Kinds, make, of_kind
from harness.targets.base import Place, PlaceKind


def fault(
    kind: str, where: Any, *, allow: Sequence[str] = (), among: Kinds | None = None, **args: Any
) -> Fault[Any]:
    """A fault of `kind` at `where`, to be used with ``with``: it is injected on entry and healed on exit.

    `where` is a pid, a `subprocess.Popen`, a `psutil.Process`, the `Path` of an SQLite store, a `zmq.Socket`, a
    mock handler, or a `Place`. `args` are the kind's own; durations as seconds or as text (``"250ms"``).
    Processes that this process did not start are refused unless the name of their place matches a glob in
    `allow`.

    >>> import subprocess, sys
    >>> child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    >>> with fault("process.pause", child):
    ...     psutil.Process(child.pid).status()
    'stopped'
    >>> child.communicate() and None
    """
    cls = of_kind(kind, among)
    return make(kind, place_of(where, cls.accepts), args, surroundings=Alone(allowed=tuple(allow)), among=among)


def place_of(where: Any, accepts: Sequence[PlaceKind]) -> Place:
    """`where` as a place of one of the kinds in `accepts`; raises `UsageError` for what cannot be one."""
    if isinstance(where, Place):
        return where
    if isinstance(where, bool):
        raise UsageError("where: expected a process, a file, a socket or a mock handler, found a truth value")
    if isinstance(where, int | subprocess.Popen | psutil.Process):
        return _process(where if isinstance(where, int) else where.pid, accepts)
    if isinstance(where, Path):
        return Place(PlaceKind.STORE, where.name, path=where)
    if isinstance(where, zmq.Socket):
        return Place(PlaceKind.SOCKET, f"{zmq.SocketType(int(where.type)).name} socket", handle=where)
    if PlaceKind.HANDLER in accepts:
        return Place(PlaceKind.HANDLER, str(getattr(where, "handler_id", type(where).__name__)), handle=where)
    wanted = " or ".join(kind.value for kind in accepts)
    raise UsageError(f"where: expected a {wanted}, found {where!r} ({type(where).__name__})")


def _process(pid: int, accepts: Sequence[PlaceKind]) -> Place:
    try:
        started = psutil.Process(pid).create_time()
    except (psutil.NoSuchProcess, ValueError):
        raise FaultError(f"no process has pid {pid}") from None
    kind = PlaceKind.PROCESS if PlaceKind.PROCESS in accepts else PlaceKind.HANDLER
    return Place(kind, f"pid {pid}", pid=pid, started=started)
