"""What a piece of code leaves behind: processes, threads, ZeroMQ sockets and contexts, descriptors, listening
ports.

>>> before = Snapshot.take()
>>> before.leaks(timeout=0.1)
[]
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import gc
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import zmq

from harness import descent
from harness.errors import LeakError

SETTLE = 5.0
"""Seconds that what is on its way out may take to be gone."""
MARK = "HARNESS_LEAK_GUARD"
"""Environment variable by which `guarded` knows a process again that its parents have left; of one whose environment is
another, the mark of `harness.descent` tells."""
_TICK = 0.02
_LOOKS = 5  # at the children of a process, until two agree
_HARMLESS_THREADS = ("pytest_timeout", "execnet", "Dummy-")
"""Threads of the test runner, and those that the interpreter only knows by name."""
_HARMLESS_PROCESS = "multiprocessing.resource_tracker"
"""The interpreter keeps one for as long as it lives."""
_NO_LEAK = ("/dev/random", "/dev/urandom")
"""The source of random numbers is opened once and kept, by OpenSSL and, where there is no getrandom(2), by Python. All
else below ``/dev`` and ``/proc`` counts: terminals, shared memory, and what a look at processes has left open; of
``/dev/null`` see `_stands_in`.
"""


@dataclass(frozen=True)
class Snapshot:
    """What exists at one moment. Processes are pairs of pid and start time, descriptors pairs of number and
    what is open.

    Every open ZeroMQ socket and context owns descriptors, so a snapshot without ``objects`` misses none; it
    only cannot tell
    which are new. It takes 1 ms, one with them 30 ms or more.
    """

    processes: frozenset[tuple[int, float]]
    threads: frozenset[int]
    descriptors: frozenset[tuple[int, str]]
    ports: frozenset[int] = frozenset()
    sockets: frozenset[int] = frozenset()
    contexts: frozenset[int] = frozenset()
    objects: bool = False
    mark: str = ""

    @classmethod
    def take(cls, *, objects: bool = True, mark: str = "") -> Snapshot:
        """Look now. With `objects`, garbage is collected first, so that what nobody can reach is not blamed
        on anybody.
        """
        sockets, contexts = _zmq_objects() if objects else ([], [])
        return cls(
            processes=frozenset(_processes(mark)),
            threads=frozenset(thread.native_id or 0 for thread in threading.enumerate()),
            descriptors=frozenset(_descriptors()),
            ports=frozenset(_listening()) if objects else frozenset(),
            sockets=frozenset(id(socket) for socket in sockets),
            contexts=frozenset(id(context) for context in contexts),
            objects=objects,
            mark=mark,
        )

    def leaks(self, *, timeout: float = SETTLE) -> list[str]:
        """What is there now and was not then, one line each; looks again until nothing is, or `timeout`
        seconds are over.
        """
        deadline = time.monotonic() + timeout
        pause = _TICK
        while True:
            found = self._compare(Snapshot.take(objects=self.objects, mark=self.mark))
            if not found or time.monotonic() >= deadline:
                return found
            gc.collect()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)

    def require_none(self, *, timeout: float = SETTLE) -> None:
        """Raise `LeakError` that names every leak. Processes that were left are killed: whoever comes next
        must not meet them.
        """
        if found := self.leaks(timeout=timeout):
            self.end_processes()
            lines = "\n".join(f"  - {line}" for line in found)
            raise LeakError(f"left behind after {timeout:g} s:\n{lines}")

    def end_processes(self) -> None:
        """Kill every process that was not there when this snapshot was taken, and wait for it."""
        ended = []
        for pid, started in set(_processes(self.mark)) - self.processes:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == started and not _is_harmless(process):
                    process.kill()
                    ended.append(process)
        psutil.wait_procs(ended, timeout=SETTLE)

    def _compare(self, now: Snapshot) -> list[str]:
        found = [line for pid, _ in sorted(now.processes - self.processes) if (line := _process_line(pid))]
        new_threads = now.threads - self.threads
        found += [
            f"thread {thread.name!r}"
            for thread in threading.enumerate()
            if thread.native_id in new_threads and not thread.name.startswith(_HARMLESS_THREADS)
        ]
        found += [f"listening port {port}" for port in sorted(now.ports - self.ports)]
        descriptors = sorted(pair for pair in now.descriptors - self.descriptors if _counts(pair[1]))
        found += [f"descriptor {number} ({what})" for number, what in descriptors]
        if self.objects or any(what.startswith("anon_inode:") for _, what in descriptors):
            found += self._zmq_lines()
        return found

    def _zmq_lines(self) -> list[str]:
        sockets, contexts = _zmq_objects()
        if (
            not self.objects
        ):  # which of them are new is not known, but their names help whoever looks for the descriptor
            return [f"(open ZeroMQ sockets: {', '.join(map(_socket_name, sockets))})"] if sockets else []
        new_sockets = [socket for socket in sockets if id(socket) not in self.sockets]
        new_contexts = [context for context in contexts if id(context) not in self.contexts]
        lines = []
        if new_sockets:
            lines.append(
                f"{len(new_sockets)} open ZeroMQ socket(s): {', '.join(map(_socket_name, new_sockets))}"
            )
        if new_contexts:
            lines.append(f"{len(new_contexts)} ZeroMQ context(s) that nobody has ended")
        return lines


@contextlib.contextmanager
def guarded(*, objects: bool = True, timeout: float = SETTLE) -> Iterator[Snapshot]:
    """Raise `LeakError` when the block leaves something behind.

    Processes started inside are known by their environment, also when their parents are gone, and those that were given
    another environment by what they inherit all the same (see `harness.descent`, also for what that misses). Guards
    nest, but for the latter: what an inner guard or a run has started is theirs.

    >>> with guarded(objects=False):
    ...     threading.Thread(target=print).start()
    <BLANKLINE>
    """
    outer = os.environ.get(MARK, "")
    mark = uuid.uuid4().hex
    os.environ[MARK] = f"{outer},{mark}" if outer else mark
    try:
        # Nobody can carry a mark that is new: processes are looked for by it at the end only.
        before = dataclasses.replace(Snapshot.take(objects=objects), mark=mark)
        with descent.marked(descent.mark_of(mark)):
            yield before
        before.require_none(timeout=timeout)
    finally:
        if outer:
            os.environ[MARK] = outer
        else:
            os.environ.pop(MARK, None)


def _zmq_objects() -> tuple[list[Any], list[Any]]:
    """Open sockets, open contexts. A socket or context that another one shadows is the other one's."""
    gc.collect()
    sockets: list[Any] = []
    contexts: list[Any] = []
    for candidate in gc.get_objects():
        # type(), not isinstance(): asking a weak proxy or a lazy object for its class can run its code.
        kind = type(candidate)
        if (
            not issubclass(kind, zmq.Socket | zmq.Context)
            or candidate.closed
            or getattr(candidate, "_shadow", False)
        ):
            continue
        (sockets if issubclass(kind, zmq.Socket) else contexts).append(candidate)
    return sockets, contexts


def _socket_name(socket: Any) -> str:
    try:
        return f"{zmq.SocketType(socket.type).name} {socket.last_endpoint.decode().rstrip(chr(0))}".rstrip()
    except (zmq.ZMQError, ValueError):
        return "one that was closed just now"


def _processes(mark: str) -> Iterator[tuple[int, float]]:
    """Descendants of this process, and whoever carries `mark` in its environment or by descent."""
    for pid in [*_descendants(), *(_marked(mark) if mark else [])]:
        with contextlib.suppress(psutil.Error):
            yield pid, psutil.Process(pid).create_time()


def _descendants() -> list[int]:
    """Pids of all descendants. psutil asks every process of the machine for its parent, which is 0.6 ms for 80
    of them; the kernel knows the children of each thread (proc(5), where it was built with that).
    """
    found: list[int] = []
    waiting = ["self"]
    try:
        while waiting:
            children = _children(waiting.pop())
            found += map(int, children)
            waiting += children
    except FileNotFoundError:  # no such file in this kernel
        return [process.pid for process in psutil.Process().children(recursive=True)]
    return found


def _children(parent: str) -> list[str]:
    """Children of one process, none of one that has ended. A look may miss some when others of them end meanwhile, so
    two must agree.
    """
    before: list[str] | None = None
    for _ in range(_LOOKS):
        now: list[str] = []
        try:
            threads = sorted(os.listdir(f"/proc/{parent}/task"))  # noqa: PTH208 - Paths double the cost
        except (FileNotFoundError, ProcessLookupError):
            return []
        for thread in threads:
            now += _children_of_thread(parent, thread)
        if now == before:
            break
        before = now
    return before or []


def _children_of_thread(parent: str, thread: str) -> list[str]:
    try:
        with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - as above
            return file.read().decode("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists(f"/proc/{parent}/task/{thread}"):  # noqa: PTH110 - as above
            raise
        return []  # the thread has ended


def _marked(mark: str) -> list[int]:
    me, found = os.getpid(), descent.carriers(descent.mark_of(mark))
    for pid in psutil.pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - a Path for each process doubles the cost
                carries = mark.encode() in file.read()
        except OSError:  # gone, or another user's
            continue
        if carries and pid != me and psutil.pid_exists(pid):
            found.append(pid)
    return found


def _process_line(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        if _is_harmless(process):
            return ""
        if process.status() == psutil.STATUS_ZOMBIE:
            return f"process {pid} (a zombie: nobody waited for it): {process.name()}"
        return f"process {pid}: {' '.join(process.cmdline())[:120]}"
    except psutil.NoSuchProcess:
        return ""
    except psutil.Error:
        return f"process {pid}"


def _is_harmless(process: psutil.Process) -> bool:
    try:
        return any(_HARMLESS_PROCESS in word for word in process.cmdline())
    except psutil.Error:
        return False


def _descriptors() -> Iterator[tuple[int, str]]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - Path costs three times as much
        with contextlib.suppress(OSError):
            what = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
            if what != os.devnull or not _stands_in(int(name)):
                yield int(name), what


def _stands_in(descriptor: int) -> bool:
    """Whether this ``/dev/null`` is what a simulated world leaves in the place of a file of a process that died there,
    until the object that remembers the number is collected: it holds nothing. That one is open for both reading and
    writing, as hardly any program has it for long.
    """
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR


def _counts(what: str) -> bool:
    """Whether a new descriptor is a leak: not what the interpreter itself opens now and then."""
    return what not in _NO_LEAK and "__pycache__" not in what and not what.endswith((".so", ".pyc"))


def _listening() -> Iterator[int]:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.Process().net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                yield connection.laddr.port
