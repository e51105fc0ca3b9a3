"""Refuses what is not simulated, with the line that asked for it.

A fence stands at each name of `FENCES` that no part of the world simulates. Behind the fences an audit hook catches
what reaches the operating system some other way: a name bound before the world, a C extension, a library's own
binding.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.sim.boundary.audit import HOOK
from harness.sim.boundary.callsite import call_site
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How, Registry
from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread

_FORK = "a copy of this process would hold copies of every simulated thread's lock and none of the threads"
_EXEC = "it would replace the process that holds the world"
_TIMER = "real time does not pass for simulated code; use loop.call_later, threading.Timer or a schedule"
_NETWORK = "the machine part of the world is not installed; use World(machine=True)"
_REAL_SOCKET = "this is a real socket; make sockets with socket.socket, which is simulated"
_WAITS = "it would wait in real time"
_REAL_NAMES = "the network interfaces of the real machine"
_FIGURES = "files are real, and so are sizes of disks, which differ from run to run"
_LOCK = "POSIX locks belong to the one real process; use fcntl.flock"
_ALL = "it would change the one real process, which holds every simulated one"
_HOST = "it would change the real machine"
_TERMINAL = "terminals are real; use os.pipe or socket.socketpair, which are simulated"
_PROCESS = "start processes with subprocess.Popen([sys.executable, '-m', ...]), which is simulated"

FENCES = (
    Boundary("os.fork", How.FENCED, _FORK),
    Boundary("os.forkpty", How.FENCED, _FORK),
    *(
        Boundary(f"os.{name}", How.FENCED, _EXEC)
        for name in ("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe")
    ),
    *(
        Boundary(f"os.{name}", How.FENCED, _PROCESS)
        for name in ("spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe")
    ),
    *(Boundary(f"os.{name}", How.FENCED, _NETWORK) for name in ("wait", "wait3", "wait4", "waitid", "waitpid")),
    Boundary("fcntl.lockf", How.FENCED, _LOCK),
    Boundary("os.lockf", How.FENCED, _LOCK),
    *(
        Boundary(f"os.{name}", How.FENCED, _ALL)
        for name in (
            *("setuid", "seteuid", "setreuid", "setresuid", "setgid", "setegid", "setregid", "setresgid"),
            *("setgroups", "initgroups", "chroot", "unshare", "setns", "sched_rr_get_interval"),
            *("sched_setaffinity", "sched_setparam", "sched_setscheduler"),
        )
    ),
    *(Boundary(name, How.FENCED, _HOST) for name in ("time.clock_settime", "time.clock_settime_ns")),
    Boundary("socket.sethostname", How.FENCED, _HOST),
    *(Boundary(f"os.{name}", How.FENCED, _TERMINAL) for name in ("login_tty", "tcsetpgrp")),
    Boundary("_socket.socketpair", How.FENCED, "this is a real one; use socket.socketpair, which is simulated"),
    *(Boundary(f"os.{name}", How.FENCED, _PROCESS) for name in ("system", "popen", "posix_spawn", "posix_spawnp")),
    Boundary("subprocess.Popen", How.FENCED, _NETWORK),
    Boundary("socket.socket", How.FENCED, _NETWORK),
    Boundary("socket.socketpair", How.FENCED, _NETWORK),
    Boundary("socket.create_connection", How.FENCED, _NETWORK),
    Boundary("socket.getaddrinfo", How.FENCED, _NETWORK),
    Boundary("select.select", How.FENCED, _NETWORK),
    Boundary("select.poll", How.FENCED, _NETWORK),
    Boundary("select.epoll", How.FENCED, "real descriptors are not ready at virtual times; use selectors or asyncio"),
    Boundary("signal.alarm", How.FENCED, _TIMER),
    Boundary("signal.setitimer", How.FENCED, _TIMER),
    Boundary("signal.pause", How.FENCED, "no real signal reaches a simulated process; wait on a threading.Event"),
    Boundary("signal.sigwait", How.FENCED, "no real signal reaches a simulated process; use signal.signal"),
    Boundary("signal.sigtimedwait", How.FENCED, "no real signal reaches a simulated process; use signal.signal"),
    Boundary("multiprocessing.process.BaseProcess.start", How.FENCED, _PROCESS),
    Boundary("os.mkfifo", How.FENCED, f"{_WAITS}; use os.pipe, which is simulated"),
    Boundary("os.mknod", How.FENCED, f"{_WAITS}; make files with open, pipes with os.pipe"),
    Boundary("os.openpty", How.FENCED, f"{_WAITS}; use os.pipe or socket.socketpair, which are simulated"),
    Boundary("os.posix_openpt", How.FENCED, f"{_WAITS}; use os.pipe or socket.socketpair, which are simulated"),
    Boundary("os.timerfd_create", How.FENCED, _TIMER),
    Boundary("os.splice", How.FENCED, "the kernel knows no simulated pipe; use os.read with os.write, or os.sendfile"),
    Boundary(
        "_xxsubinterpreters.create", How.FENCED, "an interpreter of its own would have real time and real threads"
    ),
    Boundary("_interpreters.create", How.FENCED, "an interpreter of its own would have real time and real threads"),
    Boundary(
        "ssl.SSLContext.wrap_socket",
        How.FENCED,
        "OpenSSL reads real descriptors; use asyncio's TLS or SSLContext.wrap_bio, which work over simulated sockets",
    ),
    Boundary("uvloop.new_event_loop", How.FENCED, "its clock is in C; use asyncio's own loop, which is simulated"),
)
"""Where a fence stands unless a part of the world says that it simulates the name."""

BOUNDARY = (
    *FENCES,
    Boundary("ctypes.CDLL", How.FENCED, "what a C library does cannot be seen; load it before the world begins"),
    Boundary("open", How.PASSED, "files are real, so that a run can be looked at; simulated disks lie above"),
    Boundary(
        "io.FileIO",
        How.PASSED,
        "files are real; of /dev/urandom or the kernel's random/uuid, which are real chance, refused",
    ),
    Boundary("os.statvfs", How.PASSED, _FIGURES),
    Boundary("shutil.disk_usage", How.PASSED, _FIGURES),
    Boundary(
        "functools.partial",
        How.PASSED,
        "partials, defaults, closures, tables made before keep what is real: World.patcher.escapes() lists them",
    ),
    Boundary("ssl.SSLContext.wrap_bio", How.PASSED, "the bytes are OpenSSL's, with its own chance in them"),
    Boundary(
        "os.stat",
        How.PASSED,
        "files are real, and so are their times (st_mtime): TimedRotatingFileHandler sees how old they really are",
    ),
    Boundary("os.cpu_count", How.PASSED, "a fact of the machine: pools sized by it differ between machines"),
    Boundary("os.process_cpu_count", How.PASSED, "a fact of the machine: pools sized by it differ between machines"),
    Boundary("os.get_terminal_size", How.PASSED, "a fact of the real terminal; COLUMNS and LINES go before it"),
    Boundary("os.getlogin", How.PASSED, "there is one user, the real one"),
    Boundary("os.tcgetpgrp", How.PASSED, "terminals are real"),
    *(Boundary(f"socket.{name}", How.PASSED, _REAL_NAMES) for name in ("if_indextoname", "if_nameindex")),
    Boundary("socket.if_nametoindex", How.PASSED, _REAL_NAMES),
    *(
        Boundary(f"_socket.{name}", How.PASSED, "a real socket, which the audit hook lets neither bind nor connect")
        for name in ("socket", "SocketType")
    ),
    Boundary("_thread.start_joinable_thread", How.PASSED, "a real thread outside of the world; use threading.Thread"),
)

_BUILT_IN = ("_interpreters", "_xxsubinterpreters")
"""Modules that are imported to put up their fences: programs import them only when they use them."""

_AUDITED = {
    "os.fork": _FORK,
    "os.forkpty": _FORK,
    "os.exec": _EXEC,
    "os.posix_spawn": _PROCESS,
    "os.system": _PROCESS,
    "socket.connect": _NETWORK,
    "socket.bind": _NETWORK,
    "socket.sendto": _NETWORK,
    "socket.sendmsg": _NETWORK,
    "ctypes.dlopen": "what a C library does cannot be seen; load it before the world begins",
    "open": "its chance is real; use open(), os.urandom or secrets, which are simulated",
}
_CHANCE = frozenset(
    name
    for path in ("/dev/urandom", "/dev/random", "/dev/hwrng", "/proc/sys/kernel/random/uuid")
    for name in (path, path.encode())
)
"""Of real files only these are refused."""


class Permissions(threading.local):
    """Whether the calling real thread may do real things just now."""

    depth = 0


class Fences:
    """The fences of one world and the audit hook behind them."""

    def __init__(self) -> None:
        self._permissions = Permissions()
        self._simulated_sockets = False

    def install(self, patcher: Patcher, registry: Registry) -> None:
        """Put up a fence at every name that is fenced in `registry` and exists here."""
        for name in _BUILT_IN:
            with suppress(ImportError):
                importlib.import_module(name)
        for entry in registry.entries():
            if entry.how is How.FENCED and (found := _find(entry.name)):
                _put_up(patcher, entry, *found)
        self._simulated_sockets = registry.how("socket.socket") is How.SIMULATED
        HOOK.watch(_AUDITED, self.audit)

    def remove(self) -> None:
        """Let the audit hook look away; the patcher takes down the fences."""
        HOOK.rest(self.audit)

    @contextmanager
    def permitted(self) -> Iterator[None]:
        """What the simulation itself does for real in this block is not refused."""
        self._permissions.depth += 1
        try:
            yield
        finally:
            self._permissions.depth -= 1

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse a real effect that a simulated thread is about to have."""
        if not self._permissions.depth and current_thread() is not None:
            if event == "open" and (not isinstance(arguments[0], str | bytes) or arguments[0] not in _CHANCE):
                return
            advice = _AUDITED[event]
            if advice is _NETWORK and self._simulated_sockets:
                advice = _REAL_SOCKET
            raise refusal(_said(event, arguments), advice)


def refusal(name: str, advice: str) -> NotSimulated:
    """The error for reaching `name`, with the user's line."""
    return NotSimulated(f"{name} at {call_site()} is not simulated: {advice}. The list: python -m harness.sim.boundary")


def _put_up(patcher: Patcher, entry: Boundary, owner: Any, name: str) -> None:
    real = getattr(owner, name)
    if isinstance(real, type) and "__init__" in vars(real):
        # The class stays what it is, so that isinstance() and subclasses go on working; it cannot be made.
        patcher.set(real, "__init__", _fence(entry.name, entry.why, vars(real)["__init__"]))
    else:
        patcher.replace(owner, name, _fence(entry.name, entry.why, real))


def _fence(name: str, why: str, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def fence(*args: Any, **named: Any) -> Any:
        if current_thread() is None:
            return real(*args, **named)
        raise refusal(name, why)

    return fence


def _find(name: str) -> tuple[Any, str] | None:
    """The owner and the attribute a dotted name means, among what is loaded; None when there is no such thing."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:cut]))
        if module is None:
            continue
        owner: Any = module
        for part in parts[cut:-1]:
            owner = getattr(owner, part, None)
        return (owner, parts[-1]) if owner is not None and hasattr(owner, parts[-1]) else None
    return None


def _said(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "open":
        return f"open({arguments[0]!r})"
    shown = ", ".join(repr(argument)[:60] for argument in arguments[1:] if event.startswith("socket."))
    return f"{event}({shown})"
