"""The simulated libzmq of one world: contexts, handles, numbers."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.zmq.context import ContextCore
from harness.sim.zmq.core import SocketCore
from harness.sim.zmq.doorbell import Doorbell

if TYPE_CHECKING:
    from harness.sim.fabric import Fabric
    from harness.sim.kernel import Kernel
    from harness.sim.process import SimProcess
    from harness.sim.zmq.connection import Connection
    from harness.sim.zmq.listener import Listener

FIRST_HANDLE = 1 << 62
"""Handles begin above any address, so that one given to the real libzmq by mistake is never a valid pointer."""
FIRST_DESCRIPTOR = 500_000_000
"""Beyond the numbers of the simulated machine's descriptors (see `harness.sim.machine.descriptors.FIRST`)."""


class Engine:
    """Everything that lives beneath pyzmq in one world.

    :ivar ipc: who listens at which path.
    """

    def __init__(self, kernel: Kernel, fabric: Fabric) -> None:
        self.kernel = kernel
        self.fabric = fabric
        self.ipc: dict[str, Listener] = {}
        self.contexts: list[ContextCore] = []
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()
        """The `zmq.Context` objects."""
        self.connections: dict[Connection, None] = {}
        """All that are alive."""
        self._resumed: dict[int, list[Callable[[], None]]] = {}
        self._handles: dict[int, ContextCore | SocketCore] = {}
        self._next_handle = FIRST_HANDLE
        self._next_descriptor = FIRST_DESCRIPTOR
        self._numbers: dict[int, int] = {}

    def new_context(self) -> ContextCore:
        """A context of the running process; its sockets vanish when that dies."""
        thread = current_thread()
        if thread is None:
            raise NotSimulated("a ZeroMQ context of a simulated world was made outside of its threads")
        process = thread.process
        number = sum(context.process is process for context in self.contexts) + 1
        context = ContextCore(self, process, number)
        self.contexts.append(context)
        process.on_exit.append(context.vanish)
        return context

    def forget(self, context: ContextCore) -> None:
        """A context was terminated."""
        if context in self.contexts:
            self.contexts.remove(context)
            context.process.on_exit.remove(context.vanish)

    def number(self, process: SimProcess) -> int:
        """The next number of a socket in this process, from 1."""
        number = self._numbers[process.pid] = self._numbers.get(process.pid, 0) + 1
        return number

    def pausing(self, process: SimProcess) -> None:
        """A process is about to be paused: peers that send heartbeats will notice."""
        for connection in list(self.connections):
            if process in (connection.client.core.process, connection.server.core.process):
                connection.stalled()

    def when_resumed(self, process: SimProcess, callback: Callable[[], None]) -> None:
        """Call back when a paused process goes on; its IO thread shakes no hands meanwhile."""
        self._resumed.setdefault(process.pid, []).append(callback)

    def resumed(self, process: SimProcess) -> None:
        """A process goes on."""
        for callback in self._resumed.pop(process.pid, []):
            callback()

    def descriptor_number(self) -> int:
        """A number that stands for a descriptor in events and as ``FD``."""
        self._next_descriptor += 1
        return self._next_descriptor

    def doorbell(self, core: SocketCore) -> int:
        """The number of the descriptor of a socket, made when first asked for."""
        if core.doorbell is None:
            core.doorbell = Doorbell(self.descriptor_number(), descriptors_of(core.process))
            if core.stirred:
                core.doorbell.ring()
        return core.doorbell.number

    def register(self, thing: ContextCore | SocketCore) -> int:
        """A handle: the "address" of a context or socket, as ``underlying`` gives it."""
        self._next_handle += 1
        self._handles[self._next_handle] = thing
        return self._next_handle

    def resolve(self, handle: int) -> ContextCore | SocketCore | None:
        """What a handle stands for."""
        return self._handles.get(handle)

    def release(self, handle: int) -> None:
        """The handle is void."""
        self._handles.pop(handle, None)

    def close(self) -> None:
        """End all contexts; the world is over."""
        for thing in self.objects:
            # Those that the test itself has left open still warn when they are collected, as in reality.
            if thing._core.process is not self.kernel.main.process:
                thing.closed = True
        for context in list(self.contexts):
            context.vanish()
            self.forget(context)


def descriptors_of(process: SimProcess) -> dict[int, Any]:
    """The table in which the simulated machine looks descriptors up."""
    table = getattr(process, "descriptors", None)
    if table is None:
        table = {}
        process.descriptors = table  # type: ignore[attr-defined]
    return table
