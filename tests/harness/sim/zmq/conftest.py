"""Two arms for one body: real libzmq, and the simulation."""

from __future__ import annotations

import socket as plain
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq

from harness.sim.world import World

AnySocket = Any
GRACE = 0.06
"""Seconds that real libzmq gets for what it does in the background, where nothing can be waited for."""
PATIENCE = 5_000
"""Milliseconds within which something that must happen happens."""


class Arm:
    """A place to run a test body: real or simulated; both use plain pyzmq."""

    def __init__(self, sim: World | None) -> None:
        self.sim = sim
        self.name = "real" if sim is None else "sim"
        self._contexts: list[zmq.Context[Any]] = []
        self._threads: list[threading.Thread] = []
        self.context = self.new_context()

    def new_context(self) -> zmq.Context[Any]:
        """A context that is destroyed at the end."""
        context: zmq.Context[Any] = zmq.Context()
        self._contexts.append(context)
        return context

    def socket(self, kind: int, context: zmq.Context[Any] | None = None, **options: Any) -> AnySocket:
        """A socket that does not linger and reconnects fast, with these options."""
        made = (context or self.context).socket(kind)
        made.linger = 0
        made.reconnect_ivl = 20
        for name, value in options.items():
            setattr(made, name, value)
        return made

    def bound(self, kind: int, **options: Any) -> tuple[AnySocket, str]:
        """A bound socket, and its TCP address."""
        made = self.socket(kind, **options)
        port = made.bind_to_random_port("tcp://127.0.0.1")
        return made, f"tcp://127.0.0.1:{port}"

    def nobody(self) -> str:
        """An address where nobody listens. (Where somebody has just closed, libzmq still accepts for a moment.)"""
        if self.sim is not None:
            return "tcp://127.0.0.1:23456"
        with plain.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"tcp://127.0.0.1:{probe.getsockname()[1]}"

    def connected(self, kind: int, address: str, **options: Any) -> AnySocket:
        """A socket connected to `address`."""
        made = self.socket(kind, **options)
        made.connect(address)
        return made

    def pair(self, server: int, client: int, **options: Any) -> tuple[AnySocket, AnySocket]:
        """A bound and a connected socket; `options` are the client's."""
        one, address = self.bound(server)
        other = self.connected(client, address, **options)
        self.settle()
        return one, other

    def settle(self, seconds: float = GRACE) -> None:
        """Let the background do its work."""
        time.sleep(seconds)

    def stir(self, *sockets: AnySocket) -> None:
        """Let the background do what it can do only while the owner of a socket makes a call on it (libzmq attaches and
        detaches connections then); in between, give it time."""
        for _ in range(3):
            self.settle()
            for socket in sockets:
                socket.getsockopt(zmq.EVENTS)

    def readable(self, socket: AnySocket, within: int = PATIENCE) -> bool:
        """Whether something can be received, waiting `within` ms for it."""
        return bool(socket.poll(within))

    def quiet(self, socket: AnySocket, for_ms: int = 80) -> bool:
        """Whether nothing comes for a while."""
        return not socket.poll(for_ms)

    def receive(self, socket: AnySocket) -> list[bytes]:
        """The next message; fails when none comes."""
        assert self.readable(socket), f"no message came within {PATIENCE} ms"
        return list(socket.recv_multipart(zmq.NOBLOCK))

    def rebind(self, kind: int, address: str, **options: Any) -> AnySocket:
        """Bind an address again; real libzmq gives a port back in the background."""
        made = self.socket(kind, **options)
        end = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                made.bind(address)
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE or time.monotonic() > end:
                    raise
                time.sleep(0.005)
            else:
                return made

    def thread(self, run: Callable[[], object]) -> threading.Thread:
        """Start a thread that is joined at the end."""
        made = threading.Thread(target=run, daemon=True)
        self._threads.append(made)
        made.start()
        return made

    def outcome(self, call: Callable[[], Any]) -> Any:
        """What a call gives, or the name of the error it raises."""
        try:
            return call()
        except zmq.ZMQError as error:
            return _name(error.errno)

    def clean(self) -> None:
        """End what the test has left open."""
        for made in self._threads:
            made.join(PATIENCE / 1000)
        for context in self._contexts:
            context.destroy(linger=0)


def _name(code: int | None) -> str:
    try:
        return zmq.Errno(code or 0).name
    except ValueError:
        return f"errno {code}"


@contextmanager
def arm_of(name: str, seed: int = 1) -> Iterator[Arm]:
    """The arm of this name, cleaned up afterwards."""
    if name == "real":
        real = Arm(None)
        try:
            yield real
        finally:
            real.clean()
    else:
        with World(seed=seed) as sim:
            made = Arm(sim)
            try:
                yield made
            finally:
                made.clean()


@pytest.fixture(params=["real", "sim"])
def world(request: pytest.FixtureRequest) -> Iterator[Arm]:
    """The same body, once over libzmq and once over the simulation."""
    with arm_of(request.param) as arm:
        yield arm


@pytest.fixture
def sim() -> Iterator[Arm]:
    """The simulated arm alone."""
    with arm_of("sim") as arm:
        yield arm


@pytest.fixture
def arms() -> Callable[..., Any]:
    """`arm_of`, for tests that open worlds themselves."""
    return arm_of
