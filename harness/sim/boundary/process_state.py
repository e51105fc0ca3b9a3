"""Gives every simulated process its own of what one interpreter has only once.

Environment, arguments, standard streams, working directory, the configuration of logging. The kernel swaps them when
a thread of another process gets the baton. What a process inherits is what its `SimProcess` says: `env`, `argv`,
`cwd`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import Kernel, current_thread
from harness.sim.process import SimProcess
from harness.sim.threads import _excepthook

_OWN = "every simulated process has its own"

BOUNDARY = (
    Boundary("os.environ", How.SIMULATED, _OWN),
    Boundary(
        "os.putenv", How.SIMULATED, "only the process that opened the world has the interpreter's real environment"
    ),
    Boundary(
        "os.unsetenv", How.SIMULATED, "only the process that opened the world has the interpreter's real environment"
    ),
    Boundary("os.chdir", How.SIMULATED, "every simulated process has its own working directory; the folders are real"),
    Boundary("sys.argv", How.SIMULATED, _OWN),
    Boundary("sys.stdin", How.SIMULATED, _OWN),
    Boundary("sys.stdout", How.SIMULATED, _OWN),
    Boundary("sys.stderr", How.SIMULATED, _OWN),
    Boundary("sys.excepthook", How.SIMULATED, _OWN),
    Boundary("threading.excepthook", How.SIMULATED, _OWN),
    Boundary("logging.root", How.SIMULATED, "handlers and level: every simulated process has its own"),
    Boundary("logging.disable", How.PASSED, "holds for all processes, as loggers below the root do"),
    Boundary("logging.getLogger", How.PASSED, "loggers below the root are shared by all processes, as modules are"),
    Boundary("structlog.configure", How.SIMULATED, _OWN),
    Boundary(
        "sys.modules",
        How.PASSED,
        "modules are shared by all processes: what is per process is declared, see Kernel.process_local",
    ),
    Boundary("platform.node", How.SIMULATED, "the name of the simulated machine"),
    Boundary("socket.gethostname", How.SIMULATED, "the name of the simulated machine"),
)

HOST = "simulated"
"""What the simulated machine is called, so that no history holds the name of a real one."""


class Environment:
    """What `os.environ` holds as one value that can be swapped."""

    __slots__ = ()

    @property
    def value(self) -> dict[bytes, bytes]:
        """The encoded variables; `os.environ` itself stays the object that everybody imported."""
        return os.environ._data  # type: ignore[attr-defined,no-any-return]

    @value.setter
    def value(self, new: dict[bytes, bytes]) -> None:
        """Swap the variables."""
        os.environ._data = new  # type: ignore[attr-defined]


class LoggingState:
    """The root logger's configuration as one value that can be swapped."""

    __slots__ = ()

    @property
    def value(self) -> tuple[list[logging.Handler], int]:
        """Handlers, and level."""
        root = logging.root
        return root.handlers, root.level

    @value.setter
    def value(self, new: tuple[list[logging.Handler], int]) -> None:
        """Swap the configuration."""
        root = logging.root
        root.handlers = new[0]
        if root.level != new[1]:
            root.level = new[1]
            # Loggers remember which levels are on; only a change of levels makes them wrong.
            root.manager._clear_cache()  # type: ignore[attr-defined]


class ProcessState:
    """Declares what is swapped in one world, and fills it in for processes as they come."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._known: set[int] = set()
        self._folder = os.getcwd()  # noqa: PTH109 - a str, as os.chdir takes it
        self._chdir = os.chdir
        self._environment = Environment()

    def install(self, patcher: Patcher) -> None:
        """Swap from now on; the process that is running keeps what there is."""
        first = self._kernel.current_process
        first.env = dict(os.environ)
        first.argv = list(sys.argv)
        first.cwd = self._folder
        self._known.add(first.pid)
        self._declare()
        self._kernel.on_enter.append(self._enter)
        patcher.replace(os, "chdir", self._sim_chdir)
        patcher.replace(os, "putenv", _first_only(self._kernel, os.putenv))
        patcher.replace(os, "unsetenv", _first_only(self._kernel, os.unsetenv))
        _name_machine(patcher)

    def remove(self) -> None:
        """Be where the first process is; the kernel has put its other values back."""
        self._enter(self._kernel.main.process)

    def _declare(self) -> None:
        own = self._kernel.process_local
        streams = sys.stdin, sys.stdout, sys.stderr
        own(self._environment, "value", dict)
        own(sys, "argv", list)
        own(sys, "stdin", lambda: streams[0])
        own(sys, "stdout", lambda: streams[1])
        own(sys, "stderr", lambda: streams[2])
        own(sys, "excepthook", lambda: sys.__excepthook__)
        own(threading, "excepthook", lambda: partial(_excepthook, threading.__excepthook__))
        own(LoggingState(), "value", lambda: ([], logging.WARNING))
        structlog: Any = sys.modules.get("structlog._config")
        if structlog is not None:
            own(structlog, "_CONFIG", _uncached(structlog._Configuration))

    def _enter(self, process: SimProcess) -> None:
        """Called when `process` gets the baton after another one."""
        if process.pid not in self._known:
            self._known.add(process.pid)
            self._environment.value = {os.fsencode(k): os.fsencode(v) for k, v in process.env.items()}
            sys.argv = list(process.argv) or [""]
        if process.cwd != self._folder:
            self._folder = process.cwd
            try:
                self._chdir(process.cwd)
            except OSError:
                # Its folder was removed, which no process notices before it looks at relative names.
                self._folder = ""

    def _sim_chdir(self, path: Any) -> None:
        """`os.chdir` of the calling process."""
        self._chdir(path)
        me = current_thread()
        if me is not None:
            self._folder = me.process.cwd = os.getcwd()  # noqa: PTH109 - a str, as os.chdir takes it


def _first_only(kernel: Kernel, real: Callable[..., None]) -> Callable[..., None]:
    def change(*arguments: Any) -> None:
        me = current_thread()
        if me is None or me.process is kernel.main.process:
            real(*arguments)

    return change


def _uncached(configuration: type[Any]) -> Callable[[], Any]:
    """structlog's configuration for a process that is not the first.

    A logger that caches its configuration at first use would take the first process's into all others.
    """
    never = property(lambda _: False, lambda _, __: None)
    return type("Configuration", (configuration,), {"cache_logger_on_first_use": never})


def _name_machine(patcher: Patcher) -> None:
    platform, socket = sys.modules.get("platform"), sys.modules.get("socket")
    for module, name in ((platform, "node"), (socket, "gethostname")):
        if module is not None:
            patcher.replace(module, name, _hosted(getattr(module, name)))


def _hosted(real: Callable[[], str]) -> Callable[[], str]:
    return lambda: real() if current_thread() is None else HOST
