"""Which sockets a simulated process has open, known without a walk through all objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from harness.sim.errors import SimError

if TYPE_CHECKING:
    from harness.sim.zmq.core import SocketCore
    from harness.sim.zmq.engine import Engine


def sockets_of(pid: int) -> list[SocketCore]:
    """The open sockets of the process with this id, oldest first; empty for a process that is dead or has none.

    Shadows (a `zmq.asyncio.Socket` holds one of itself) are no sockets of their own.

    :raises SimError: no world with ZeroMQ is open.
    """
    engine: Engine | None = getattr(zmq.Socket, "engine", None)
    if engine is None:
        raise SimError("sockets are counted in an open world that simulates ZeroMQ; there is none")
    return [core for context in engine.contexts if context.process.pid == pid for core in context.sockets]
