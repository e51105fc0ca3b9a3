"""What a piece of code leaves behind: child processes, threads, ZeroMQ sockets and contexts, descriptors, listening ports.

>>> before = Snapshot.take()
>>> before.leaks(timeout=0.1)
[]
"""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq

from harness.errors import LeakError

SETTLE = 5.0
"""Seconds that what is on its way out may take to be gone."""
_HARMLESS_THREADS = ("asyncio_", "pytest_timeout", "AnyIO worker", "ThreadPoolExecutor", "execnet", "tqdm")
"""Worker threads that pools of the interpreter or of the test runner keep for reuse."""


@dataclass(frozen=True)
class Snapshot:
    """What exists at one moment. ``descriptors`` maps each open descriptor to what it refers to."""

    processes: frozenset[tuple[int, float]]
    threads: frozenset[int]
    sockets: frozenset[int]
    contexts: frozenset[int]
    descriptors: frozenset[tuple[int, str]]
    ports: frozenset[int]

    @classmethod
    def take(cls) -> Snapshot:
        """Look now. Garbage is collected first, so that what nobody can reach is not blamed on anybody."""
        gc.collect()
        me = psutil.Process()
        return cls(
            processes=frozenset(_children(me)),
            threads=frozenset(t.ident or 0 for t in threading.enumerate()),
            sockets=frozenset(id(o) for o in gc.get_objects() if _is_open(o, zmq.Socket)),
            contexts=frozenset(id(o) for o in gc.get_objects() if _is_open(o, zmq.Context)),
            descriptors=frozenset(_descriptors()),
            ports=frozenset(_listening(me)),
        )

    def leaks(self, *, timeout: float = SETTLE) -> list[str]:
        """What is there now and was not then, one line each; looks again until nothing is, or `timeout` seconds are over."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._compare(Snapshot.take())
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(0.05)

    def _compare(self, now: Snapshot) -> list[str]:
        found = [_process_line(pid) for pid, _ in sorted(now.processes - self.processes)]
        names = {t.ident: t for t in threading.enumerate()}
        for ident in sorted(now.threads - self.threads):
            thread = names.get(ident)
            if thread is not None and not thread.name.startswith(_HARMLESS_THREADS):
                found.append(f"thread {thread.name!r}")
        if more := now.sockets - self.sockets:
            found.append(f"{len(more)} open ZeroMQ socket(s): {', '.join(_sockets(more))}")
        if more := now.contexts - self.contexts:
            found.append(f"{len(more)} ZeroMQ context(s) that nobody has ended")
        found += [f"listening port {port}" for port in sorted(now.ports - self.ports)]
        found += [f"descriptor {fd} ({what})" for fd, what in sorted(now.descriptors - self.descriptors) if _counts(what)]
        return found

    def require_none(self, *, timeout: float = SETTLE) -> None:
        """Raise `LeakError` that names every leak."""
        if found := self.leaks(timeout=timeout):
            lines = "\n".join(f"  - {line}" for line in found)
            raise LeakError(f"left behind after {timeout:g} s:\n{lines}")


def _is_open(candidate: object, kind: type) -> bool:
    # type(), not isinstance(): asking a weak proxy or a lazy object for its class can run its code.
    return issubclass(type(candidate), kind) and not candidate.closed  # type: ignore[attr-defined]


def _sockets(ids: frozenset[int]) -> list[str]:
    return sorted(
        zmq.SocketType(o.type).name for o in gc.get_objects() if _is_open(o, zmq.Socket) and id(o) in ids
    )


def _children(me: psutil.Process) -> list[tuple[int, float]]:
    found = []
    for child in me.children(recursive=True):
        try:
            found.append((child.pid, child.create_time()))
        except psutil.Error:
            continue
    return found


def _process_line(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        zombie = " (a zombie: nobody waited for it)" if process.status() == psutil.STATUS_ZOMBIE else ""
        return f"process {pid}{zombie}: {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        return f"process {pid}"


def _descriptors() -> list[tuple[int, str]]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        try:
            found.append((int(entry.name), str(entry.readlink())))
        except OSError:
            continue
    return found


def _counts(what: str) -> bool:
    """Whether a new descriptor is a leak: not the folder being read, nor what the interpreter keeps (caches, /dev, event files)."""
    return not what.startswith(("/proc/", "/dev/")) and "__pycache__" not in what and not what.endswith((".so", ".pyc"))


def _listening(me: psutil.Process) -> list[int]:
    try:
        return [c.laddr.port for c in me.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    except (psutil.Error, OSError):
        return []


