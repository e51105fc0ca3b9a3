"""The machine as a part of a world: what it replaces, by what."""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
import _posixshmem  # type: ignore[import-not-found]
import _posixsubprocess
import _signal  # type: ignore[import-not-found]
import _socket
import _thread
import atexit
import builtins
import fcntl
import functools
import io
import os
import resource
import select
import selectors
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil

from harness.sim.boundary.registry import Boundary, How
from harness.sim.fabric import Fabric
from harness.sim.kernel import current_thread
from harness.sim.machine import names
from harness.sim.machine.about import BOUNDARY as ABOUT
from harness.sim.machine.children import ChildCalls
from harness.sim.machine.control import Control
from harness.sim.machine.descriptor_paths import BOUNDARY as PATHS
from harness.sim.machine.eventfd import EventCalls
from harness.sim.machine.file_numbers import PATCHED as _OS_REAL_FILES
from harness.sim.machine.file_numbers import NumberCalls
from harness.sim.machine.files import FileCalls
from harness.sim.machine.machine import Machine
from harness.sim.machine.os_calls import OsCalls
from harness.sim.machine.own_settings import NAMES as _OS_SETTINGS
from harness.sim.machine.processing import (
    cleaning_up,
    early_bindings,
    fresh_names,
    kept_by_each_process,
    warnings_of_the_living,
)
from harness.sim.machine.psutil_shim import PsutilCalls
from harness.sim.machine.readiness import Selects, SimEpoll, SimPoll
from harness.sim.machine.reaping import Reaping
from harness.sim.machine.segments import Segments
from harness.sim.machine.semaphores import Semaphores, semaphore_class
from harness.sim.machine.signal_calls import SignalCalls
from harness.sim.machine.socket_factory import socket_class, socket_pair
from harness.sim.machine.sqlite import connecting
from harness.sim.machine.sqlite_functions import BOUNDARY as SQL
from harness.sim.machine.startup import MainModule, new_main

if TYPE_CHECKING:
    from harness.sim.world import World

_NUMBER = "descriptors of the world are its own; real files pass through and are closed when their process dies"
_CHILD = "processes are groups of simulated threads"
_SIGNAL = "signals go between simulated processes; handlers run in the main thread"
_SOCKET = "stream sockets of loopback and UNIX addresses; bytes travel over the links of the fabric"
_SEMAPHORE = "semaphores, and their names, are the world's; they are waited for in virtual time"
_SEGMENT = "the memory is real, the name is the world's: nothing is left in /dev/shm"
_READY = "readiness of simulated pipes and sockets"
_FILE = "the file is real; its number is the process's, its disk may be in trouble"
_SETTING = "every simulated process has its own; nothing runs faster or slower by it"
_LOOKUP = "the world has one machine; of other hosts NotSimulated is raised"

_OS_NUMBERS = (
    *("pipe", "pipe2", "read", "write", "fstat", "set_inheritable", "get_inheritable"),
    *("set_blocking", "get_blocking", "isatty", "fsync", "fdatasync", "readv", "writev", "sendfile"),
)
_OS_FILES = ("close", "closerange", "dup", "dup2")
_OS_CHILDREN = (
    *("waitpid", "wait", "wait4", "pidfd_open", "getpid", "getppid", "getpgid", "getpgrp", "getsid"),
    *("setsid", "setpgid", "setpgrp", "abort"),
)
_OS_REAPING = tuple(name for name in ("wait3", "waitid") if hasattr(os, name))
_SIGNALS = (
    *("signal", "getsignal", "raise_signal", "set_wakeup_fd", "siginterrupt", "pthread_kill", "pthread_sigmask"),
    *("sigpending", "sigwait", "sigtimedwait", "sigwaitinfo", "pause", "alarm", "setitimer", "getitimer"),
    "pidfd_send_signal",
)
_SIGNALS_OF_C = ("signal", "getsignal", "pthread_sigmask", "sigpending", "sigwait")
"""Those over which `signal` lies with functions of its own."""

_EVENTS = tuple(name for name in ("eventfd", "eventfd_read", "eventfd_write") if hasattr(os, name))

_LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn", "getnameinfo")
_SETTINGS = (
    *(("os", name) for name in _OS_SETTINGS if hasattr(os, name)),
    *(("resource", name) for name in ("getrlimit", "setrlimit")),
    *(("socket", name) for name in ("getdefaulttimeout", "setdefaulttimeout")),
)

_PSUTIL = ("Process", "pids", "pid_exists", "process_iter", "net_connections")

_PSUTIL_REAL = (
    *("boot_time", "cpu_percent", "cpu_stats", "cpu_times", "cpu_times_percent", "disk_io_counters", "disk_usage"),
    *("net_if_addrs", "net_io_counters", "swap_memory", "users"),
)
_COUNTERS = "a counter of the real machine, different in every run: do not decide by it"

BOUNDARY = (
    *(Boundary(f"os.{name}", How.SIMULATED, _NUMBER) for name in (*_OS_NUMBERS, "open", *_OS_FILES)),
    *(Boundary(f"os.{name}", How.SIMULATED, _CHILD) for name in (*_OS_CHILDREN, *_OS_REAPING, "_exit")),
    *(Boundary(f"os.{name}", How.SIMULATED, _FILE) for name in _OS_REAL_FILES),
    *(Boundary(f"{module}.{name}", How.SIMULATED, _SETTING) for module, name in _SETTINGS),
    *(Boundary(f"os.{name}", How.SIMULATED, _SIGNAL) for name in ("kill", "killpg")),
    *(Boundary(f"signal.{name}", How.SIMULATED, _SIGNAL) for name in _SIGNALS),
    *(Boundary(f"_signal.{name}", How.SIMULATED, _SIGNAL) for name in _SIGNALS_OF_C),
    *(Boundary(f"os.{name}", How.SIMULATED, _NUMBER) for name in _EVENTS),
    Boundary("_thread.interrupt_main", How.SIMULATED, _SIGNAL),
    *(Boundary(f"_multiprocessing.{name}", How.SIMULATED, _SEMAPHORE) for name in ("SemLock", "sem_unlink")),
    *(Boundary(f"_posixshmem.{name}", How.SIMULATED, _SEGMENT) for name in ("shm_open", "shm_unlink")),
    Boundary("multiprocessing.resource_tracker", How.SIMULATED, "every simulated process has its own"),
    Boundary("multiprocessing.util.Finalize", How.SIMULATED, "every simulated process runs its own, and no other's"),
    Boundary("subprocess.Popen", How.SIMULATED, "starts Python, also behind a wrapper script, and registered programs"),
    Boundary("fcntl.flock", How.SIMULATED, "the lock is real, waiting for it is virtual, death releases it"),
    Boundary("fcntl.fcntl", How.SIMULATED, "flags of simulated descriptors; POSIX locks are fenced"),
    Boundary("fcntl.ioctl", How.SIMULATED, "of real files; of simulated pipes and sockets it is refused"),
    Boundary("select.select", How.SIMULATED, _READY),
    Boundary("select.poll", How.SIMULATED, _READY),
    Boundary("select.epoll", How.SIMULATED, _READY),
    *(
        Boundary(f"socket.{name}", How.SIMULATED, _SOCKET)
        for name in (
            *("socket", "SocketType", "socketpair", "create_connection", "create_server", "close", "dup", "fromfd"),
        )
    ),
    *(Boundary(f"socket.{name}", How.SIMULATED, _LOOKUP) for name in _LOOKUPS),
    Boundary("_socket.getaddrinfo", How.SIMULATED, "addresses are answered; of names NotSimulated is raised"),
    *(Boundary(f"psutil.{name}", How.SIMULATED, "knows the processes of the world, and no other") for name in _PSUTIL),
    *(Boundary(f"psutil.{name}", How.PASSED, "a fact of the real machine") for name in ("virtual_memory", "cpu_count")),
    *(Boundary(f"psutil.{name}", How.PASSED, _COUNTERS) for name in _PSUTIL_REAL),
    Boundary("sqlite3.connect", How.SIMULATED, "SQLite is real, waits for its locks are virtual"),
    *SQL,
    *ABOUT,
    *PATHS,
    Boundary("sys.flags", How.SIMULATED, "every simulated process has its own; those of -O, -X, -W are the world's"),
    Boundary("atexit.register", How.SIMULATED, "each simulated process has its own functions"),
)


class MachinePart:
    """Installs a `Machine` in a world, as ``world.machine``.

    Options of the world that it heeds: ``start_up``, seconds (from, to) that the start of an interpreter takes.
    """

    def __init__(self) -> None:
        self.machine: Machine | None = None
        self._segments: Segments | None = None
        self._set: Callable[[Any, str, Any], None]
        self._replace: Callable[[Any, str, Any], None]

    def install(self, world: World) -> None:
        """Patch what the operating system offers."""
        options = {name: world.options[name] for name in ("start_up",) if name in world.options}
        if world.fabric is None:
            world.fabric = Fabric(world.kernel)
        machine = self.machine = Machine(world.kernel, lambda: world.fabric, **options)
        world.machine = machine
        world.kernel.machine = machine  # type: ignore[attr-defined]
        self._set, self._replace = world.patcher.set, world.patcher.replace
        machine.state(world.kernel.main.process)
        self._own_settings(machine)
        self._descriptors(machine)
        self._processes(machine)
        self._signals(machine)
        self._about(machine)
        self._multiprocessing(machine)
        self._selecting(machine)
        self._sockets(machine)
        self._psutil(machine)
        self._put(sqlite3, "connect", connecting(machine))
        self._per_process(world, machine)

    def remove(self) -> None:
        """Close what is left; names are put back by the patcher."""
        if self.machine is not None:
            self.machine.settings.remove()
            self.machine.close()
        if self._segments is not None:
            self._segments.close()

    def _put(self, owner: Any, name: str, simulated: Callable[..., Any]) -> None:
        """Replace a function everywhere; threads outside of the world get the real one."""
        self._replace(owner, name, dispatching(getattr(owner, name), simulated))

    def _descriptors(self, machine: Machine) -> None:
        calls, files = OsCalls(machine), FileCalls(machine)
        for name in _OS_NUMBERS:
            self._put(os, name, getattr(calls, name))
        self._put(os, "open", files.open_file)
        for name in _OS_FILES:
            self._put(os, name, getattr(files, name))
        opening = dispatching(builtins.open, files.open)
        for owner in (builtins, io, sys.modules["_io"]):
            self._set(owner, "open", opening)
        events = EventCalls(machine)
        for name in _EVENTS:
            self._put(os, name, getattr(events, name))
        numbers = NumberCalls(machine, files)
        for name in _OS_REAL_FILES:
            self._put(os, name, numbers.simulated(name))
        self._put(fcntl, "ioctl", numbers.ioctl())
        self._put(fcntl, "flock", files.flock)
        self._put(fcntl, "fcntl", Control(machine, fcntl.fcntl).fcntl)

    def _own_settings(self, machine: Machine) -> None:
        machine.settings.install(machine.kernel.main.process)
        for module, name in _SETTINGS:
            self._put(sys.modules[module], name, getattr(machine.settings, name))

    def _processes(self, machine: Machine) -> None:
        calls = ChildCalls(machine)
        for name in _OS_REAPING:
            self._put(os, name, getattr(Reaping(machine, calls), name))
        for name in _OS_CHILDREN:
            self._put(os, name, getattr(calls, name))
        self._put(os, "_exit", calls.exit_now)
        self._put(_posixsubprocess, "fork_exec", calls.fork_exec)
        self._set(subprocess, "_USE_POSIX_SPAWN", False)
        if hasattr(subprocess, "_del_safe"):
            self._set(subprocess._del_safe, "waitpid", os.waitpid)
        else:
            self._set(subprocess.Popen, "_internal_poll", _polling(subprocess.Popen._internal_poll))  # type: ignore[attr-defined]

    def _multiprocessing(self, machine: Machine) -> None:
        semaphores, segments = Semaphores(machine), Segments(machine)
        self._segments = segments
        self._set(_multiprocessing, "SemLock", semaphore_class(semaphores))
        self._put(_multiprocessing, "sem_unlink", semaphores.unlink)
        self._put(_posixshmem, "shm_open", segments.open)
        self._put(_posixshmem, "shm_unlink", segments.unlink)
        table = cleaning_up(_multiprocessing.sem_unlink, _posixshmem.shm_unlink)
        for owner, name, value in (*early_bindings(), fresh_names(), table, warnings_of_the_living(machine)):
            self._set(owner, name, value)

    def _signals(self, machine: Machine) -> None:
        calls = SignalCalls(machine)
        for name in _SIGNALS:
            if hasattr(signal, name):
                self._put(signal, name, getattr(calls, name))
        for name in _SIGNALS_OF_C:
            self._put(_signal, name, getattr(calls, name))
        self._put(os, "kill", calls.kill)
        self._put(os, "killpg", calls.killpg)
        self._put(_thread, "interrupt_main", calls.interrupt_main)

    def _about(self, machine: Machine) -> None:
        for name in ("times", "getloadavg", "uname"):
            self._put(os, name, getattr(machine.about, name))
        self._put(resource, "getrusage", machine.about.getrusage)
        if hasattr(resource, "prlimit"):  # Linux alone has it
            self._put(resource, "prlimit", machine.about.prlimit)
        self._put(ssl, "RAND_bytes", machine.about.random_bytes)

    def _selecting(self, machine: Machine) -> None:
        self._put(select, "select", Selects(machine).select)
        self._put(select, "poll", lambda: SimPoll(machine))
        self._put(select, "epoll", lambda sizehint=-1, flags=0: SimEpoll(machine))
        self._set(selectors.SelectSelector, "_select", staticmethod(select.select))
        self._set(selectors.PollSelector, "_selector_cls", staticmethod(select.poll))
        self._set(selectors.EpollSelector, "_selector_cls", staticmethod(select.epoll))

    def _sockets(self, machine: Machine) -> None:
        made = socket_class(machine)
        self._set(socket, "socket", made)
        self._set(socket, "SocketType", made)
        self._put(socket, "socketpair", socket_pair(machine, made))
        for name in _LOOKUPS:
            self._put(socket, name, getattr(names, name))
        self._put(_socket, "getaddrinfo", names.lookup(_socket.getaddrinfo))
        self._put(socket, "close", os.close)
        self._put(socket, "dup", os.dup)

    def _psutil(self, machine: Machine) -> None:
        calls = PsutilCalls(machine)
        self._replace(psutil, "Process", calls.process_class)
        for name in _PSUTIL[1:]:
            self._put(psutil, name, getattr(calls, name))

    def _per_process(self, world: World, machine: Machine) -> None:
        own = world.kernel.process_local
        path = list(sys.path)
        own(sys, "path", lambda: list(path))
        own(sys, "orig_argv", list)
        flags, unwritten = sys.flags, sys.dont_write_bytecode
        own(sys, "flags", lambda: flags)
        own(sys, "dont_write_bytecode", lambda: unwritten)
        own(MainModule(), "value", new_main)
        own(subprocess, "_active", list)
        for holder, name, make in kept_by_each_process():
            self._set(holder, name, make())
            own(holder, name, make)
        self._put(atexit, "register", _registering(machine, atexit.register))
        self._put(atexit, "unregister", _unregistering(machine, atexit.unregister))


def dispatching(real: Callable[..., Any], simulated: Callable[..., Any]) -> Callable[..., Any]:
    """A function that asks who calls."""

    @functools.wraps(real, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs) if current_thread() is None else simulated(*args, **kwargs)

    return call


def _polling(real: Callable[..., Any]) -> Callable[..., Any]:
    """`Popen._internal_poll` of Python 3.11 and 3.12 has bound the real ``waitpid`` as a default argument."""

    def poll(self: Any, _deadstate: Any = None) -> Any:
        return real(self, _deadstate, _waitpid=os.waitpid)

    return poll


def _registering(machine: Machine, real: Callable[..., Any]) -> Callable[..., Any]:
    def register(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if not machine.is_child():
            return real(func, *args, **kwargs)
        if getattr(func, "__qualname__", "") != "finalize._exitfunc":
            # That one would run the finalizers of all processes: they share the registry of `weakref.finalize`.
            machine.state().at_exit.append((func, args, kwargs))
        return func

    return register


def _unregistering(machine: Machine, real: Callable[..., Any]) -> Callable[..., Any]:
    def unregister(func: Callable[..., Any], /) -> None:
        if not machine.is_child():
            real(func)
            return
        entries = machine.state().at_exit
        entries[:] = [entry for entry in entries if entry[0] != func]

    return unregister
