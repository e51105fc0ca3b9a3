"""Installs the simulated libzmq into a world."""

from __future__ import annotations

from typing import Any

import zmq
import zmq.asyncio
import zmq.backend
import zmq.sugar.poll

from harness.sim.boundary.registry import Boundary, How
from harness.sim.errors import SimError
from harness.sim.fabric import Fabric
from harness.sim.process import SimProcess
from harness.sim.zmq import polling
from harness.sim.zmq.backend import SimContext, SimSocket
from harness.sim.zmq.engine import Engine
from harness.sim.zmq.frames import SimFrame

_LIBZMQ = "pyzmq's own Python over a libzmq in Python"

BOUNDARY = (
    Boundary("zmq.Context", How.SIMULATED, _LIBZMQ),
    Boundary("zmq.Socket", How.SIMULATED, _LIBZMQ),
    Boundary("zmq.Frame", How.SIMULATED, "always copies, or a real thread would free its memory"),
    Boundary("zmq.zmq_poll", How.SIMULATED, "beneath zmq.Poller, zmq.select and Socket.poll; waiting parks the thread"),
    Boundary("zmq.proxy", How.SIMULATED, "a loop over simulated sockets"),
    Boundary("zmq.proxy_steerable", How.SIMULATED, "a loop over simulated sockets"),
    Boundary("zmq.asyncio", How.SIMULATED, "pyzmq's own code over the simulated FD option and SimLoop"),
    Boundary("zmq.utils.monitor", How.SIMULATED, "pyzmq's own code over simulated socket events"),
    Boundary("zmq.has", How.PASSED, "a constant of the installed libzmq"),
    Boundary("zmq.zmq_version", How.PASSED, "a constant of the installed libzmq"),
    Boundary("zmq.strerror", How.PASSED, "a table"),
    Boundary("zmq.curve_keypair", How.PASSED, "real entropy: its keys differ from run to run"),
    Boundary("zmq.Socket.setsockopt(CURVE_*, PLAIN_*, ZAP_DOMAIN)", How.FENCED, "no security mechanisms"),
    Boundary(
        "zmq.Socket to socket.socket",
        How.SIMULATED,
        "two networks: sockets of ZeroMQ meet each other, plain ones each other; a port check or a byte proxy between "
        "the two finds nobody",
    ),
    Boundary("zmq.Context.socket(STREAM)", How.FENCED, "raw TCP peers are not simulated"),
)
"""What this part does to the names of pyzmq."""


class ZmqPart:
    """Puts `SimContext` and `SimSocket` beneath `zmq.Context` and `zmq.Socket` for the life of one world.

    :ivar fabric: the network; made here unless the world has one already.
    :ivar engine: contexts and sockets.
    """

    def __init__(self) -> None:
        self.fabric: Fabric
        self.engine: Engine
        self._bases: list[tuple[type, tuple[type, ...], tuple[type, ...]]] = []

    def install(self, world: Any) -> None:
        """Install into `world`, which has a ``kernel`` and a ``patcher``; sets ``world.fabric`` if that is missing."""
        kernel = world.kernel
        fabric = getattr(world, "fabric", None)
        if fabric is None:
            fabric = world.fabric = Fabric(kernel)
        latency = getattr(world, "options", {}).get("latency")
        if latency is not None:
            fabric.links.set_latency("*", "*", latency)
        self.fabric = fabric
        self.engine = engine = Engine(kernel, fabric)
        socket_base: Any = type("SimSocket", (SimSocket,), {"engine": engine, "__module__": __name__})
        context_base: Any = type("SimContext", (SimContext,), {"engine": engine, "__module__": __name__})
        self._put_beneath(zmq.Socket, socket_base)
        self._put_beneath(zmq.Context, context_base)
        patcher = world.patcher
        # These two are the compiled functions themselves, taken before any base could stand between.
        patcher.set(zmq.Socket, "setsockopt", socket_base.set)
        patcher.set(zmq.Socket, "getsockopt", socket_base.get)
        self._functions(patcher)
        self._watch_processes(patcher)
        for context in (zmq.Context, zmq.asyncio.Context):
            patcher.set(context, "_instance", None)
            patcher.set(context, "_instance_pid", None)
            kernel.process_local(context, "_instance", _nothing)
            kernel.process_local(context, "_instance_pid", _nothing)

    def _functions(self, patcher: Any) -> None:
        for owner, name, simulated in (
            (zmq.sugar.poll, "zmq_poll", polling.poll),
            (zmq, "zmq_poll", polling.poll),
            (zmq, "proxy", polling.proxy),
            (zmq, "proxy_steerable", polling.proxy_steerable),
        ):
            real = getattr(owner, name)
            patcher.set(owner, name, polling.dispatching(simulated, real))
        for name in ("Frame", "Message"):
            patcher.set(zmq, name, SimFrame)
        _replace = getattr(patcher, "replace_everywhere", None)
        if _replace is not None:
            _replace(zmq.sugar.frame.Frame, SimFrame)

    def _watch_processes(self, patcher: Any) -> None:
        """Learn of processes that are paused and resumed."""
        engine = self.engine
        pause, resume = SimProcess.pause, SimProcess.resume

        def paused(process: SimProcess) -> None:
            engine.pausing(process)
            pause(process)

        def resumed(process: SimProcess) -> None:
            resume(process)
            engine.resumed(process)

        patcher.set(SimProcess, "pause", paused)
        patcher.set(SimProcess, "resume", resumed)

    def _put_beneath(self, owner: Any, base: type) -> None:
        """Class creation order matters: the new base stands first, so that the compiled one is asked last."""
        old = owner.__bases__
        new = (base, *old)
        self._bases.append((owner, old, new))
        owner.__bases__ = new

    def remove(self) -> None:
        """End all contexts, take everything out again. Raises SimError when somebody else changed the bases."""
        if hasattr(self, "engine"):  # else it was never installed
            self.engine.close()
        changed = [owner.__name__ for owner, _, new in self._bases if owner.__bases__ != new]
        for owner, old, _ in reversed(self._bases):
            owner.__bases__ = old
        self._bases.clear()
        if changed:
            raise SimError(f"bases of {', '.join(changed)} were changed by somebody else inside the world")


def _nothing() -> None:
    """What a new process has where it has made no context yet."""
