"""The machine of one world: what its operating system keeps."""

from __future__ import annotations

import contextlib
import itertools
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.sim.kernel import current_thread, us
from harness.sim.machine.about import AboutCalls
from harness.sim.machine.descriptors import FIRST
from harness.sim.machine.disk import Disk
from harness.sim.machine.fileobjects import SimFileIO
from harness.sim.machine.files import REAL_CLOSE, REAL_DUP2, REAL_OPEN, RealFile, shut
from harness.sim.machine.network import Network
from harness.sim.machine.own_settings import OwnSettings
from harness.sim.machine.processing import let_go
from harness.sim.machine.programs import Programs
from harness.sim.machine.signals import Signalled
from harness.sim.machine.sqlite import abandon
from harness.sim.machine.sqlite_functions import SqlFunctions
from harness.sim.machine.state import OsState
from harness.sim.machine.streams import Endpoint
from harness.sim.process import ProcessState, SimProcess
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

START_UP: Final = (0.05, 0.25)
"""Seconds between which the start of an interpreter takes, from the call of Popen to the first line of the program."""


def process_of(owner: Any) -> SimProcess | None:
    """The process of whatever has taken a port in the fabric's table."""
    found = getattr(owner, "process", None) or getattr(getattr(owner, "core", None), "process", None)
    return found if isinstance(found, SimProcess) else None


class Machine:
    """Everything that the operating system of a world holds.

    :ivar programs: what can be started besides Python: ``machine.programs.register("true", lambda argv: 0)``.
    :ivar disk: faults of the file system.
    :ivar about: what the system tells of itself.
    :ivar sql: what SQLite takes for the time, and for chance.
    :ivar network: stream sockets and their addresses.
    :ivar settings: niceness, limits and the like, which each process has of its own.
    :ivar start_up: seconds, from and to, that the start of an interpreter takes.
    """

    real_open = staticmethod(REAL_OPEN)
    real_close = staticmethod(REAL_CLOSE)

    def __init__(self, kernel: Kernel, fabric: Callable[[], Any], *, start_up: tuple[float, float] = START_UP) -> None:
        self.kernel = kernel
        self._fabric = fabric
        self.start_up = start_up
        self.numbers = itertools.count(FIRST)
        self.programs = Programs(self)
        self.disk = Disk(self)
        self.sql = SqlFunctions()
        self.about = AboutCalls(self)
        self.network = Network(self)
        self.settings = OwnSettings(self)
        self.lock_waiters = WaitQueue(kernel, "a lock of a file")
        self.ghosts: set[int] = set()
        self._owned_ghosts: list[int] = []
        self._null = -1
        self.keepers: weakref.WeakSet[Any] = weakref.WeakSet()
        """Objects that will close the number of a simulated descriptor, if need be when they are collected."""
        self._names: dict[str, int] = {}
        self.states: dict[int, OsState] = {}

    @property
    def fabric(self) -> Any:
        """Links, ports and latencies of the world."""
        return self._fabric()

    # -- processes

    def state(self, process: SimProcess | None = None) -> OsState:
        """What is kept of `process`, by default of the one that calls.

        :raises Killed: the caller is being unwound.
        """
        if process is None:
            thread = current_thread()
            if thread is None:
                process = self.kernel.current_process
            else:
                if thread.killed:
                    self.kernel.check()
                process = thread.process
        state = self.states.get(process.pid)
        return state if state is not None else self._adopt(process)

    def _adopt(self, process: SimProcess) -> OsState:
        state = self.states[process.pid] = OsState(self, process)
        process.descriptors = state.descriptors  # type: ignore[attr-defined]
        process.on_exit.append(state.died)
        self.settings.inherit(process)
        if process.parent is not None:
            self.state(process.parent).children[process.pid] = process
        return state

    def is_child(self) -> bool:
        """Whether the caller is not the process that opened the world."""
        return self.kernel.current_process is not self.kernel.main.process

    def find(self, pid: int) -> SimProcess:
        """A process that exists, be it a zombie. Raises ProcessLookupError."""
        process = self.lookup(pid)
        if process is None:
            raise ProcessLookupError(3, os.strerror(3))
        return process

    def lookup(self, pid: int) -> SimProcess | None:
        """A process that exists, be it a zombie; None."""
        first = self.kernel.processes[0].pid
        index = pid - first
        if not 0 <= index < len(self.kernel.processes):
            return None
        process = self.kernel.processes[index]
        return None if process.state is ProcessState.DEAD else process

    def process(self, name: str) -> SimProcess:
        """The living process of that name, the youngest of ``name``, ``name#2``, … Raises LookupError.

        >>> world.machine.process("server").pause()  # doctest: +SKIP
        """
        for process in reversed(self.kernel.processes):
            if process.alive and name in (process.name, process.name.partition("#")[0]):
                return process
        living = ", ".join(process.name for process in self.kernel.processes if process.alive)
        raise LookupError(f"no process called {name!r} is alive; there are: {living}")

    def existing(self) -> list[SimProcess]:
        """All processes that are not dead and buried, by pid."""
        return [process for process in self.kernel.processes if process.state is not ProcessState.DEAD]

    def bury(self, process: SimProcess) -> None:
        """See to what a death means for relatives: orphans are init's, a dead parent's zombie is reaped."""
        for child in self.state(process).children.values():
            child.parent = None
            child.reap()
        parent = process.parent
        if parent is None or not parent.alive:
            process.reap()
            return
        self.state(parent).child_ended.notify_all()
        signals = self.state(parent).signals
        if signals.ignores_children():
            process.reap()
            self.state(parent).children.pop(process.pid, None)
        signals.deliver(Signalled.CHILD)

    # -- helpers of the other modules

    def us(self, seconds: float) -> int:
        """World microseconds after which the caller's clock has counted `seconds`."""
        return self.kernel.current_process.clock.true(us(seconds))

    def foreign_ports(self, process: SimProcess) -> list[tuple[str, int]]:
        """Host and port of what ZeroMQ listens on in `process`."""
        taken: dict[int, dict[str, Any]] = self.fabric.ports._taken
        return [
            (host, port)
            for port, users in sorted(taken.items())
            for host, owner in users.items()
            if not isinstance(owner, Endpoint) and process_of(owner) is process
        ]

    @staticmethod
    def owner_name(owner: Any) -> str:
        """The name of the process that has taken a port; empty when nobody has."""
        process = process_of(owner)
        return "" if process is None else process.name

    def name_of(self, kind: str) -> str:
        """A name for something new, the same in every run: ``server:3``."""
        key = f"{self.kernel.current_process.name}:{kind}"
        number = self._names[key] = self._names.get(key, 0) + 1
        return f"{self.kernel.current_process.name}:{number}"

    def locks_changed(self) -> None:
        """Let whoever waits for the lock of a file look again."""
        self.lock_waiters.notify_all()

    # -- descriptors of the dead

    def ghost(self, real: int) -> None:
        """Turn a real descriptor into ``/dev/null``: its file closes, its number stays taken."""
        if self._null < 0:
            self._null = REAL_OPEN(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            REAL_DUP2(self._null, real, inheritable=False)

    def become_ghost(self, real: int) -> None:
        """`ghost`, for a descriptor that nobody but this machine will close, which it does at its end."""
        self.ghost(real)
        self.ghosts.add(real)
        self._owned_ghosts.append(real)

    def close(self) -> None:
        """Close what is left open, when all threads have ended."""
        for keeper in list(self.keepers):
            if isinstance(keeper, SimFileIO):
                keeper.let_go()
            else:
                let_go(keeper)
        for state in self.states.values():
            if state.process is self.kernel.main.process:
                continue  # what the program that opened the world has opened for real is its own
            for connection in list(state.connections.values()):
                abandon(connection)
            for entry in list(state.descriptors.values()):
                if isinstance(entry.file, RealFile):
                    entry.file.close()
            state.descriptors.clear()
            shut(state.files)
        for real in self._owned_ghosts:
            with contextlib.suppress(OSError):
                REAL_CLOSE(real)
        self._owned_ghosts.clear()
        self.ghosts.clear()
        if self._null >= 0:
            REAL_CLOSE(self._null)
            self._null = -1
        self.sql.close()
        self.disk.close()
