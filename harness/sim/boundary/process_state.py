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

from harness.sim.boundary.folders import Folders
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
    Boundary("logging.LogRecord.relativeCreated", How.SIMULATED, "counted from the virtual start of the process"),
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


class ProcessState:
    """Declares what is swapped in one world, and fills it in for processes as they come."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._known: set[int] = set()
        self._folders = Folders()

    def install(self, patcher: Patcher) -> None:
        """Swap from now on; the process that is running keeps what there is."""
        first = self._kernel.current_process
        first.env = dict(os.environ)
        first.argv = list(sys.argv)
        first.cwd = self._folders.present
        # From the beginning, so that whoever looks for descriptors left behind inside the world finds none that is new.
        self._folders.hold(first)
        self._known.add(first.pid)
        patcher.set(logging, "_startTime", self._started())
        self._declare()
        self._kernel.on_enter.append(self._enter)
        patcher.replace(os, "chdir", self._folders.chdir)
        patcher.set(logging.Logger, "isEnabledFor", _is_enabled)
        patcher.replace(os, "putenv", _first_only(self._kernel, os.putenv))
        patcher.replace(os, "unsetenv", _first_only(self._kernel, os.unsetenv))
        _name_machine(patcher)

    def remove(self) -> None:
        """Be where the first process is; the kernel has put its other values back."""
        self._enter(self._kernel.main.process)
        self._folders.close()

    def _declare(self) -> None:
        own = self._kernel.process_local
        streams = sys.stdin, sys.stdout, sys.stderr
        own(os.environ, "_data", dict)  # os.environ itself stays the object that everybody imported
        own(sys, "argv", list)
        own(sys, "stdin", lambda: streams[0])
        own(sys, "stdout", lambda: streams[1])
        own(sys, "stderr", lambda: streams[2])
        own(sys, "excepthook", lambda: sys.__excepthook__)
        own(threading, "excepthook", lambda: partial(_excepthook, threading.__excepthook__))
        own(logging.root, "handlers", list)
        own(logging.root, "level", lambda: logging.WARNING)
        own(logging, "_startTime", self._started)
        structlog: Any = sys.modules.get("structlog._config")
        if structlog is not None:
            own(structlog, "_CONFIG", _uncached(structlog._Configuration))

    def _started(self) -> float:
        """When the running process began, as `logging` keeps it: seconds, since Python 3.13 nanoseconds."""
        now = self._kernel.epoch + self._kernel.now
        return now * 1000 if isinstance(getattr(logging, "_startTime", 0.0), int) else now / 1e6

    def _enter(self, process: SimProcess) -> None:
        """Called when `process` gets the baton after another one."""
        if process.pid not in self._known:
            self._known.add(process.pid)
            variables = {os.fsencode(name): os.fsencode(value) for name, value in process.env.items()}
            os.environ._data = variables  # type: ignore[attr-defined]
            sys.argv = list(process.argv) or [""]
        if process.cwd != self._folders.present:
            self._folders.enter(process)


def _is_enabled(self: logging.Logger, level: int) -> bool:
    """`logging.Logger.isEnabledFor` without memory: what loggers remember is wrong once the root's level is swapped.

    To have them all forget with every swap takes longer than to ask.
    """
    return not self.disabled and self.manager.disable < level and level >= self.getEffectiveLevel()


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
