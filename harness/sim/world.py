"""The simulated world as a ``with`` block: everything in it runs in virtual time, the same every time."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import ExitStack
from ctypes import c_ulong, py_object, pythonapi
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from harness.sim import loop, threads
from harness.sim.boundary import clock, early_locks, listing, order, pools, questions, registry
from harness.sim.boundary.entropy import Entropy
from harness.sim.boundary.fences import Fences
from harness.sim.boundary.garbage import Garbage
from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.process_state import ProcessState
from harness.sim.boundary.registry import Registry
from harness.sim.boundary.temporary import TemporaryFiles
from harness.sim.boundary.threading_names import everywhere
from harness.sim.boundary.wall import Wall
from harness.sim.errors import Killed, SimError
from harness.sim.kernel import Kernel
from harness.sim.legacy import let_go
from harness.sim.only import ONLY
from harness.sim.reports import describe
from harness.sim.settings import check_options, check_settings
from harness.sim.tape import Tape
from harness.sim.trace import Trace

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When every world begins unless it is told otherwise."""

PARTS = {"machine": "harness.sim.machine.part:MachinePart", "zmq": "harness.sim.zmq.part:ZmqPart"}
"""Parts by the option of `World` that leaves them out, in the order in which they are installed."""


class Part(Protocol):
    """Something more that a world simulates. It patches through ``world.patcher`` and takes nothing else down by hand.

    `BOUNDARY`, a constant of its module, lists what it simulates; `remove` is called when no simulated thread is left.
    """

    def install(self, world: World) -> None:
        """Patch; the world's own patches stand already, and its kernel is open."""

    def remove(self) -> None:
        """Let go of what the patcher does not; called also when `install` has failed."""


class World:
    """One simulated world, open from ``__enter__`` to ``__exit__``; cannot be opened twice.

    >>> import asyncio, time
    >>> with World(seed=1) as world:
    ...     asyncio.run(asyncio.sleep(86_400))
    ...     world.elapsed
    86400.0

    :param seed: of every choice and of all entropy.
    :param epoch: wall time at the start.
    :param tape: choices to replay instead of new ones; see `harness.sim.tape`.
    :param step_cost: microseconds of virtual time that each turn of a thread costs.
    :param livelock: turns without time passing that are reported as `Livelock`.
    :param deviate: per cent of locks that are not handed to who waited longest.
    :param patience: real seconds without a step, or at one instant, after which it is told who holds the world up. A
        thread that computes for as many seconds of processor time without a step is ended with `Livelock`. 0: never.
    :param trace: keep every event, not only their hash; a number: with that many levels of the stack.
    :param timezone: local time zone inside the world.
    :param zmq: simulate ZeroMQ.
    :param machine: simulate processes, sockets, pipes, signals, SQLite's waits.
    :param parts: further parts to install, last.
    :param options: passed on to the parts as ``world.options``: ``latency``, microseconds (from, to) that a message
        travels, by default (40, 120); ``start_up``, seconds (from, to) that the start of an interpreter takes, by
        default (0.05, 0.25); and what `parts` know.
    :raises ValueError: for a value that no world can have; TypeError for an option nobody knows.
    :ivar kernel: threads, time, choices.
    :ivar patcher: what was replaced; parts patch through it.
    :ivar boundary: what is simulated, fenced or passed in this world.
    :ivar machine: what the machine part set; None without it.
    :ivar fabric: what the ZeroMQ part set; None without it.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        epoch: datetime = EPOCH,
        tape: Tape | None = None,
        step_cost: int = 0,
        livelock: int = 200_000,
        deviate: int = 0,
        patience: float = 30.0,
        trace: bool | int = False,
        timezone: str = "UTC",
        zmq: bool = True,
        machine: bool = True,
        parts: tuple[Part, ...] = (),
        **options: Any,
    ) -> None:
        check_settings(
            seed=seed,
            epoch=epoch,
            tape=tape,
            step_cost=step_cost,
            livelock=livelock,
            deviate=deviate,
            patience=patience,
            timezone=timezone,
        )
        check_options(options, of_others=bool(parts))
        self.seed = seed
        self.options = options
        self.timezone = timezone
        self.trace = Trace(keep=bool(trace), stacks=0 if isinstance(trace, bool) else trace)
        self.kernel = Kernel(
            seed,
            tape=tape,
            step_cost=step_cost,
            livelock=livelock,
            deviate=deviate,
            patience=patience,
            trace=self.trace,
            epoch=round(epoch.timestamp() * 1_000_000),
        )
        self.patcher = Patcher()
        self.boundary = Registry()
        self.fences = Fences()
        self.fabric: Any = None
        self.machine: Any = None
        self._wanted = [name for name, wanted in (("machine", machine), ("zmq", zmq)) if wanted]
        self._parts = parts
        self._stack = ExitStack()
        self._was_open = False

    # -- looking at it ------------------------------------------------------------------------------------------------

    @property
    def tape(self) -> Tape:
        """The choices made so far."""
        return self.kernel.tape

    @property
    def now(self) -> float:
        """Seconds since 1970 of the world's true wall clock."""
        return (self.kernel.epoch + self.kernel.now) / 1e6

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        return self.kernel.now / 1e6

    @property
    def digest(self) -> str:
        """Hash of everything that happened so far: equal digests, equal histories."""
        return self.trace.digest

    # -- open, close --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._was_open:
            raise SimError("this world was open before; make a new one, with the same seed it is the same")
        ONLY.take()
        self._stack.callback(ONLY.give_back)
        self._was_open = True
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Exception) and len(self.kernel.threads) > 1:
            # pytest-timeout, Ctrl-C: the stacks they show are of real threads, and do not say who waits for whom.
            error.add_note("the simulated world at that moment:\n" + describe(self.kernel))
        self._stack.close()

    def _open(self) -> None:
        """Everything that is put up registers here how it is taken down, last in first out."""
        garbage = Garbage()
        garbage.install()
        self._stack.callback(garbage.restore)
        temporary = TemporaryFiles()
        self._stack.callback(temporary.remove)
        self._stack.callback(self.patcher.restore)
        temporary.install(self.patcher)
        self.kernel.open()
        self._stack.callback(self._abandon)
        self._stack.callback(self.kernel.close)
        self._stack.callback(let_go, self.kernel)
        self._stack.callback(garbage.collect)
        self._install_own()
        for part in self._find_parts():
            self._stack.callback(part.remove)
            part.install(self)
        self._claim()
        self.fences.install(self.patcher, self.boundary)
        self._stack.callback(self.fences.remove)
        self.patcher.flush()
        # No thread of the world is left when its parts are taken down.
        self._stack.callback(self.kernel.unwind)

    def _install_own(self) -> None:
        patcher = self.patcher
        Garbage.patch(patcher)
        wall = Wall()
        self._stack.callback(wall.remove)
        spinning = clock.Spinning()
        wall.install(patcher, self.timezone, spinning)
        state = ProcessState(self.kernel)
        self._stack.callback(state.remove)
        state.install(patcher)
        threads.install(patcher, self.kernel)
        everywhere(patcher)
        early_locks.install(patcher, self.kernel.process_local)
        order.install(patcher)
        pools.install(patcher)
        questions.install(patcher)
        listing.install(patcher)
        clock.install(patcher, spinning)
        Entropy(self.seed).install(patcher)
        loop.install(patcher)

    def _abandon(self) -> None:
        """Threads that would not end, as they compute without ever waiting, get `Killed` at their next instruction.

        Otherwise they would take their share of the processor from whatever is run after this world.
        """
        for thread in self.kernel.threads:
            if thread is not self.kernel.main and not thread.done:
                pythonapi.PyThreadState_SetAsyncExc(c_ulong(thread.ident), py_object(Killed))

    def _find_parts(self) -> list[Part]:
        found = [part for name in self._wanted if (part := _part(PARTS[name])) is not None]
        return [*found, *self._parts]

    def _claim(self) -> None:
        """Who simulates what in this world: parts that were left out leave their names to the fences."""
        absent = {PARTS[name].partition(":")[0] for name in PARTS if name not in self._wanted}
        for name in registry.MODULES:
            if name not in absent:
                self.boundary.add(*registry.of(name))
        for part in self._parts:
            module = sys.modules[type(part).__module__]
            self.boundary.add(*getattr(module, "BOUNDARY", ()))


def _part(where: str) -> Part | None:
    """Make a part by ``module:class``; None when it is not installed."""
    module, _, name = where.partition(":")
    if importlib.util.find_spec(module.rpartition(".")[0]) is None or importlib.util.find_spec(module) is None:
        return None
    make: Callable[[], Part] = getattr(importlib.import_module(module), name)
    return make()
