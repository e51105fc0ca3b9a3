"""A simulated process: a group of threads that live, stop or die together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from harness.sim.drift import Clock
from harness.sim.errors import SimError
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel
    from harness.sim.thread import SimThread

FIRST_PID = 5_000_001
"""Above any pid_max of Linux (4,194,304), so that a kill which escapes to the real system can never hit anything."""

SINK: deque[Any] = deque(maxlen=0)
"""The lane of the dead: takes in everything, holds nothing."""


class ProcessState(Enum):
    """What a process is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    ZOMBIE = "zombie"
    """Dead; its parent has not asked for the exit code yet."""
    DEAD = "dead"


class SimProcess:
    """One process. Make it with `Kernel.new_process`, give it life with `Kernel.spawn`.

    The first thread spawned is its main thread: when that ends, the process exits.

    :ivar incarnation: how many processes of its name there have been, this one included.
    :ivar label: unique in the world and equal in every run: ``server``, ``server#2``.
    :ivar group: number of its process group, a pid.
    :ivar session: number of its session, a pid.
    :ivar exit_code: None while it lives; negative: the signal that ended it.
    :ivar cut: it did not end by itself: it was killed, or ended itself at once, and says nothing any more.
    :ivar values: what this process has of what every process has for itself, while it does not run; see `OwnNames`.
    :ivar on_exit: called once at the moment of death, first registered first, with the baton, whoever the killer is;
        they must not park.
    :ivar exited: notified at death.
    """

    def __init__(
        self,
        kernel: Kernel,
        pid: int,
        name: str,
        *,
        parent: SimProcess | None = None,
        argv: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> None:
        self.kernel = kernel
        self.pid = pid
        self.name = name
        self.incarnation = 1 + sum(process.name == name for process in kernel.processes)
        self.label = name if self.incarnation == 1 else f"{name}#{self.incarnation}"
        self.parent = parent
        self.argv = list(argv)
        self.env = dict(env or {})
        self.cwd = cwd
        self.group: int = parent.group if parent is not None else pid
        self.session: int = parent.session if parent is not None else pid
        self.clock = Clock(kernel.epoch, lambda: kernel.now)
        self.started = kernel.now
        self.threads: list[SimThread] = []
        self.main: SimThread | None = None
        self.state = ProcessState.RUNNING
        self.exit_code: int | None = None
        self.cut = False
        self.values: list[Any] = []
        self.on_exit: list[Callable[[], object]] = []
        self.exited = WaitQueue(kernel, f"the end of process {name} ({pid})")
        self.names: dict[str, int] = {}
        """How many threads of each name it has had."""
        self.lane: deque[SimThread] = kernel.ready

    @property
    def alive(self) -> bool:
        """It has not exited; a paused process is alive."""
        return self.exit_code is None

    def kill(self, code: int = -9) -> None:
        """End it as a power cut does: no ``finally``, no handler, no flush; a dead process stays as it is.

        Does not return when the caller is one of its own threads.

        :param code: exit code; negative: minus the signal.
        """
        self.cut = self.cut or self.alive
        self._die(code)
        self.kernel.stop_if_dead()

    def exit(self, code: int) -> None:
        """End it at once with this exit code, as ``os._exit`` does; never returns to one of its own threads."""
        self.kill(code)

    def _die(self, code: int) -> None:
        if not self.alive:
            return
        kernel = self.kernel
        if self is kernel.main.process:
            raise SimError(f"process {self.name} opened this world and cannot be killed in it; kill one it started")
        self.exit_code = code
        self.state = ProcessState.ZOMBIE
        kernel.record("died", self.name, self.pid, code)
        self._move(SINK)
        for thread in self.threads:
            thread.parked = False
            thread.deadline = 0
            thread.gone = True
        for callback in self.on_exit:
            kernel.guarded(callback, f"on_exit of process {self.name}")
        self.exited.notify_all()

    def reap(self) -> None:
        """Its parent took the exit code."""
        if self.state is ProcessState.ZOMBIE:
            self.state = ProcessState.DEAD

    def pause(self) -> None:
        """Schedule none of its threads until `resume`; deadlines that pass meanwhile fire then.

        When the caller is one of its own threads, it stops here.
        """
        if self.state is not ProcessState.RUNNING:
            return
        kernel = self.kernel
        if self is kernel.main.process:
            raise SimError(f"process {self.name} opened this world: paused, nobody could ever resume it")
        self.state = ProcessState.PAUSED
        kernel.record("paused", self.name, self.pid)
        self._move(deque())
        current = kernel.current
        if current is not None and current.process is self:
            kernel.yield_()

    def resume(self) -> None:
        """Schedule its threads again, in the order in which they became able to run."""
        if self.state is ProcessState.PAUSED:
            self.state = ProcessState.RUNNING
            self.kernel.record("resumed", self.name, self.pid)
            self._move(self.kernel.ready)

    def _move(self, lane: deque[SimThread]) -> None:
        """Let its threads queue in `lane` from now on, with those that queue already."""
        queued = [thread for thread in self.lane if thread.process is self]
        for thread in queued:
            self.lane.remove(thread)
        self.lane = lane
        for thread in self.threads:
            thread.lane = lane
        lane.extend(queued)

    def __repr__(self) -> str:
        return f"<SimProcess {self.name} {self.pid} {self.state.value}>"
