"""Module `psutil` for simulated processes; outside of the world it knows nobody."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import psutil

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.machine.files import RealFile
from harness.sim.machine.streams import Endpoint, State
from harness.sim.polling import not_yet
from harness.sim.process import ProcessState, SimProcess

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

REAL_PROCESS: Final = psutil.Process
_TICK: Final = 10_000
"""Microseconds: start times are told in ticks of 1/100 s."""

Address = namedtuple("Address", ["ip", "port"])
Connection = namedtuple("Connection", ["fd", "family", "type", "laddr", "raddr", "status"])
SystemConnection = namedtuple("SystemConnection", ["fd", "family", "type", "laddr", "raddr", "status", "pid"])
OpenedFile = namedtuple("OpenedFile", ["path", "fd"])
CpuTimes = namedtuple("CpuTimes", ["user", "system", "children_user", "children_system"])
ThreadTimes = namedtuple("ThreadTimes", ["id", "user_time", "system_time"])


_ATTRIBUTES: Final = ("pid", "name", "status", "create_time", "cmdline", "environ", "ppid", "num_threads", "num_fds")


class _Kind(type):
    """Lets real `psutil.Process` objects, made outside of the world, count as instances."""

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, REAL_PROCESS)


class PsProcess(metaclass=_Kind):
    """`psutil.Process`. Each method has the meaning and the errors of the real one.

    Nobody uses processor time; how much memory a simulated process needs is not known (`AccessDenied`).
    """

    machine: ClassVar[Machine]

    def __new__(cls, pid: int | None = None) -> Any:  # noqa: D102
        return REAL_PROCESS(pid) if current_thread() is None else super().__new__(cls)

    def __init__(self, pid: int | None = None) -> None:
        if pid is None:
            pid = os.getpid()
        if not isinstance(pid, int):
            raise TypeError(f"pid must be an integer (got {pid!r})")
        if pid < 0:
            raise ValueError(f"pid must be a positive integer (got {pid})")
        not_yet()  # who makes one after the other waits for its beginning, or for its end
        process = self.machine.lookup(pid)
        if process is None:
            raise psutil.NoSuchProcess(pid, msg="process PID not found")
        self._process: SimProcess = process
        self._pid = pid
        self._code: int | None = None

    # -- who it is

    @property
    def pid(self) -> int:
        """Its number."""
        return self._pid

    @classmethod
    def _of(cls, process: SimProcess) -> PsProcess:
        """The one that is known to be there: nobody asks whether it is."""
        found = object.__new__(cls)
        found._process, found._pid, found._code = process, process.pid, None
        return found

    def _there(self, *, alive: bool = False) -> SimProcess:
        not_yet()  # any answer may mean that; first, so that the answer is of now
        process = self._process
        if process.state is ProcessState.DEAD:
            raise psutil.NoSuchProcess(self._pid, process.name)
        if alive and process.state is ProcessState.ZOMBIE:
            raise psutil.ZombieProcess(self._pid, process.name)
        return process

    def is_running(self) -> bool:
        """Whether it exists; a zombie does."""
        if self._process.state is ProcessState.DEAD:
            return False
        not_yet()
        return True

    def create_time(self) -> float:
        """Seconds since 1970, in whole ticks."""
        process = self._process
        return (process.kernel.epoch + process.started) // _TICK * _TICK / 1e6

    def status(self) -> str:
        """``running`` for the process that asks, else ``sleeping``, ``stopped`` or ``zombie``."""
        process = self._there()
        if process.state is ProcessState.ZOMBIE:
            return psutil.STATUS_ZOMBIE
        if process.state is ProcessState.PAUSED:
            return psutil.STATUS_STOPPED
        return psutil.STATUS_RUNNING if process is self.machine.kernel.current_process else psutil.STATUS_SLEEPING

    def name(self) -> str:
        """The base name of its command."""
        words = self._there().argv
        return os.path.basename(words[0])[:15] if words and words[0] else self._process.name  # noqa: PTH119

    def exe(self) -> str:
        """The path of its program."""
        words = self._there(alive=True).argv
        return words[0] if words else ""

    def cmdline(self) -> list[str]:
        """Its command."""
        return list(self._there(alive=True).argv)

    def environ(self) -> dict[str, str]:
        """The environment it was started with; a zombie has none left."""
        process = self._there()
        return dict(process.env) if process.alive else {}

    def cwd(self) -> str:
        """Its working directory."""
        return self._there(alive=True).cwd

    def username(self) -> str:
        """The one user there is."""
        self._there()
        return pwd.getpwuid(os.getuid()).pw_name

    def ppid(self) -> int:
        """Its parent's number; 1 for orphans."""
        parent = self._there().parent
        return parent.pid if parent is not None and parent.alive else 1

    def parent(self) -> PsProcess | None:
        """Its parent, if that is of this world."""
        parent = self._there().parent
        return self._of(parent) if parent is not None and parent.alive else None

    def parents(self) -> list[PsProcess]:
        """Its ancestors, the nearest first."""
        found, one = [], self.parent()
        while one is not None:
            found.append(one)
            one = one.parent()
        return found

    def children(self, recursive: bool = False) -> list[PsProcess]:
        """Its children, or all its descendants; zombies among them."""
        self._there()
        return list(map(self._of, self._descendants(self._process, recursive)))

    def _descendants(self, process: SimProcess, recursive: bool) -> list[SimProcess]:
        found = [other for other in self.machine.existing() if other.parent is process]
        return found + [one for child in found for one in self._descendants(child, True)] if recursive else found

    # -- what it has

    def num_fds(self) -> int:
        """Simulated descriptors and files opened by number."""
        return len(self.machine.state(self._there(alive=True)).descriptors)

    def num_threads(self) -> int:
        """Threads that have not ended."""
        return len(self._there().threads)

    def threads(self) -> list[Any]:
        """Numbers of its threads."""
        return [ThreadTimes(thread.number, 0.0, 0.0) for thread in self._there(alive=True).threads]

    def open_files(self) -> list[Any]:
        """Real files opened by number."""
        found = []
        for number, entry in self.machine.state(self._there(alive=True)).descriptors.items():
            if isinstance(entry.file, RealFile):
                path = Path(f"/proc/self/fd/{entry.file.real}").resolve()
                if path.is_file():
                    found.append(OpenedFile(str(path), number))
        return found

    def net_connections(self, kind: str = "inet") -> list[Any]:
        """TCP and UNIX sockets, and what ZeroMQ listens on."""
        return [Connection(*one[:-1]) for one in connections(self.machine, kind, [self._there(alive=True)])]

    def cpu_times(self) -> Any:
        """Zeros."""
        self._there(alive=True)
        return CpuTimes(0.0, 0.0, 0.0, 0.0)

    def cpu_percent(self, interval: float | None = None) -> float:
        """Zero."""
        del interval
        self._there(alive=True)
        return 0.0

    def memory_info(self) -> Any:
        """Raises AccessDenied: not simulated."""
        raise psutil.AccessDenied(self._there(alive=True).pid, msg="memory of a simulated process is not known")

    memory_full_info = memory_percent = memory_info

    @contextlib.contextmanager
    def oneshot(self) -> Iterator[None]:
        """Nothing to save."""
        yield

    def as_dict(self, attrs: Any = None, ad_value: Any = None) -> dict[str, Any]:
        """Several answers at once; what may not be known is `ad_value`."""
        names = attrs or _ATTRIBUTES
        found = {}
        for name in names:
            try:
                value = getattr(self, name)
                found[name] = value() if callable(value) else value
            except (psutil.AccessDenied, psutil.ZombieProcess):
                found[name] = ad_value
        return found

    # -- what is done to it

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""
        process = self._there()
        self.machine.state(process).signals.deliver(int(sig), here=True)

    def suspend(self) -> None:
        """SIGSTOP."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code when it is a child of the caller, else None. Raises TimeoutExpired."""
        machine, process = self.machine, self._process
        if process is machine.kernel.current_process:
            raise ValueError("cannot wait for itself")
        deadline = None if timeout is None else machine.kernel.now + machine.us(timeout)
        while process.alive:
            left = None if deadline is None else deadline - machine.kernel.now
            if left is not None and left <= 0:
                not_yet()
                raise psutil.TimeoutExpired(timeout or 0.0, self._pid, process.name)
            process.exited.wait(left)
        children = machine.state().children
        if self._pid in children:
            del children[self._pid]
            process.reap()
            self._code = process.exit_code
        return self._code

    def __getattr__(self, name: str) -> Any:
        if hasattr(REAL_PROCESS, name):
            raise NotSimulated(f"psutil.Process.{name} is not simulated")
        raise AttributeError(f"'Process' object has no attribute {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PsProcess) and getattr(other, "_process", None) is self._process

    def __hash__(self) -> int:
        return self._pid

    def __repr__(self) -> str:
        return f"psutil.Process(pid={self._pid}, name={self._process.name!r}, status={self._process.state.value!r})"


def connections(machine: Machine, kind: str, processes: list[SimProcess]) -> list[Any]:
    """The sockets of these processes; `kind` as `psutil.net_connections` has it."""
    if kind not in ("inet", "inet4", "inet6", "tcp", "tcp4", "tcp6", "unix", "all", "udp", "udp4", "udp6"):
        raise ValueError(f"invalid {kind!r} kind argument")
    found = []
    for process in processes:
        for number, entry in machine.state(process).descriptors.items():
            if isinstance(entry.file, Endpoint) and _wanted(entry.file, kind):
                family, local, peer, status = _told(entry.file)
                found.append(SystemConnection(number, family, socket.SOCK_STREAM, local, peer, status, process.pid))
        if kind in ("inet", "inet4", "tcp", "tcp4", "all"):
            found += [_listening(host, port, process) for host, port in machine.foreign_ports(process)]
    return found


def _wanted(endpoint: Endpoint, kind: str) -> bool:
    if endpoint.kind == "unix":
        return kind in ("unix", "all")
    ending = "6" if endpoint.family == socket.AF_INET6 else "4"
    return kind in ("all", "inet", "tcp", f"inet{ending}", f"tcp{ending}")


def _told(endpoint: Endpoint) -> tuple[Any, ...]:
    family = socket.AddressFamily(endpoint.family)
    if endpoint.kind == "unix":
        return family, os.fsdecode(endpoint.path), "", psutil.CONN_NONE
    local = Address(endpoint.host, endpoint.port) if endpoint.bound or endpoint.host else ()
    peer = endpoint.peer_name
    return family, local, Address(*peer[:2]) if peer else (), _status(endpoint)


def _status(endpoint: Endpoint) -> str:
    if endpoint.state is State.LISTENING:
        return str(psutil.CONN_LISTEN)
    if endpoint.state is State.CONNECTING:
        return str(psutil.CONN_SYN_SENT)
    if endpoint.state is not State.CONNECTED or endpoint.broken:
        return str(psutil.CONN_CLOSE)
    if endpoint.finished:
        return str(psutil.CONN_LAST_ACK if endpoint.closed_writing else psutil.CONN_CLOSE_WAIT)
    return str(psutil.CONN_FIN_WAIT2 if endpoint.closed_writing else psutil.CONN_ESTABLISHED)


def _listening(host: str, port: int, process: SimProcess) -> Any:
    local = Address(host, port)
    return SystemConnection(-1, socket.AF_INET, socket.SOCK_STREAM, local, (), psutil.CONN_LISTEN, process.pid)


class PsutilCalls:
    """The functions of `psutil` that are about processes."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.process_class = _Kind("Process", (PsProcess,), {"machine": machine, "__module__": "psutil"})

    def pids(self) -> list[int]:
        """Of all processes."""
        not_yet()
        return [process.pid for process in self._machine.existing()]

    def pid_exists(self, pid: int) -> bool:
        """Whether there is such a process, be it a zombie."""
        if pid < 0 or self._machine.lookup(pid) is None:
            return False
        not_yet()
        return True

    def process_iter(self, attrs: Any = None, ad_value: Any = None) -> Iterator[Any]:
        """All processes, by number."""
        for pid in self.pids():
            try:
                process = self.process_class(pid)
            except psutil.NoSuchProcess:
                continue
            if attrs is not None:
                process.info = process.as_dict(attrs, ad_value)
            yield process

    def net_connections(self, kind: str = "inet") -> list[Any]:
        """The sockets of all processes."""
        not_yet()
        return connections(self._machine, kind, [process for process in self._machine.existing() if process.alive])
