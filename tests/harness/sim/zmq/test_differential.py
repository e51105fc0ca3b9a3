"""The simulation against libzmq, operation by operation, in sequences that Hypothesis makes up.

Before each receive both must agree on whether there is anything; what is racy in reality is given time to settle.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import zmq
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from harness.sim.thread import LOCAL
from harness.sim.world import World

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.integration]
NOW = zmq.NOBLOCK
SETTLE = 0.012
"""Seconds that libzmq's own threads get."""
LATE = 1_500
"""Milliseconds that they may be late on a busy machine."""
AGAIN = ("error", "EAGAIN")
_sleep = time.sleep


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """What is called inside goes to the real libzmq and the real clock: the thread counts as none of the world."""
    me = LOCAL.thread
    LOCAL.thread = None
    try:
        yield
    finally:
        LOCAL.thread = me


class Pattern:
    """A pattern of sockets: which there are, who binds; whether subscribers are `silent` unless they receive."""

    def __init__(self, server: int, clients: int, *, count: int = 1, silent: bool = False, **options: Any) -> None:
        self.server = server
        self.clients = clients
        self.names = [f"client{n}" for n in range(count)]
        self.silent = silent
        self.options = options


PATTERNS = {
    "req-rep": Pattern(zmq.REP, zmq.REQ),
    "relaxed": Pattern(zmq.REP, zmq.REQ, req_relaxed=1),
    "correlated": Pattern(zmq.REP, zmq.REQ, req_relaxed=1, req_correlate=1),
    "two-reqs": Pattern(zmq.REP, zmq.REQ, count=2),
    "dealer-router": Pattern(zmq.ROUTER, zmq.DEALER),
    "dealers-router": Pattern(zmq.ROUTER, zmq.DEALER, count=5),
    "push-pull": Pattern(zmq.PULL, zmq.PUSH),
    "dealer-rep": Pattern(zmq.REP, zmq.DEALER, count=2),
    "req-router": Pattern(zmq.ROUTER, zmq.REQ, count=2),
    "pushes-pull": Pattern(zmq.PULL, zmq.PUSH, count=4),
    "pull-push": Pattern(zmq.PUSH, zmq.PULL, count=2),
    "pair": Pattern(zmq.PAIR, zmq.PAIR),
    "pub-subs": Pattern(zmq.PUB, zmq.SUB, count=3),
    "sub-pubs": Pattern(zmq.SUB, zmq.PUB, count=2),
    "silent-sub-pub": Pattern(zmq.SUB, zmq.PUB, silent=True),
    "pub-silent-sub": Pattern(zmq.PUB, zmq.SUB, silent=True),
}
TOPICS = [b"", b"a", b"ab", b"b"]
"""What is subscribed to, and what messages begin with."""


class Fence:
    """A connection of its own through the one thread that does the input and output of a context: what was given to
    that thread before is done when a message has come through."""

    def __init__(self, context: Any) -> None:
        self._out, self._in = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        port = self._in.bind_to_random_port("tcp://127.0.0.1")
        self._out.connect(f"tcp://127.0.0.1:{port}")

    def pass_through(self) -> None:
        """Wait for a message, and for one more: the first may have been read in the same turn as what it follows."""
        for _ in range(2):
            self._out.send(b"")
            assert self._in.poll(20 * LATE)
            self._in.recv()


class Both(RuleBasedStateMachine):
    """One server, some clients, in both worlds."""

    pattern: ClassVar[Pattern]
    counts: ClassVar[dict[str, int]] = {}
    context: ClassVar[Any]
    fence: ClassVar[Fence]

    def __init__(self) -> None:
        super().__init__()
        self.counts["examples"] = self.counts.get("examples", 0) + 1
        self.n = 0
        self.half: set[str] = set()
        self.identities: dict[str, bytes] = {}
        self.real: dict[str, Any] = {}
        self.mine: dict[str, Any] = {}
        self.stack = contextlib.ExitStack()
        # One latency for all: messages of different senders arrive in the order in which they were sent.
        self.stack.enter_context(World(seed=1, patience=0, latency=(50, 50)))
        self.sim_context = self.stack.enter_context(zmq.Context())
        with outside():
            socket = self.context.socket(zmq.REP)
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            socket.close(0)
        self.address = f"tcp://127.0.0.1:{port}"

    @initialize()
    def start(self) -> None:
        """Server and clients are there."""
        self.open("server")
        for name in self.pattern.names:
            self.open(name)
            self.settle(2)

    @property
    def subscribes(self) -> bool:
        """Whether this is about topics."""
        return zmq.SUB in (self.pattern.server, self.pattern.clients)

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Open a socket in both worlds."""
        self.n += 1
        self.identities[name] = b"%s.%d" % (name.encode(), self.n)
        self.mine[name] = self._made(self.sim_context, name)
        with outside():
            self.real[name] = self._made(self.context, name)
        assert (self.mine[name]._core is None, self.real[name]._core is None) == (False, True)

    def _made(self, context: Any, name: str) -> Any:
        kind = self.pattern.server if name == "server" else self.pattern.clients
        socket = context.socket(kind)
        socket.linger = 0
        socket.reconnect_ivl = 5
        if kind in (zmq.REQ, zmq.DEALER):
            # A new name for each: whether the server has forgotten the old one by now is a race.
            socket.routing_id = self.identities[name]
        if name == "server":
            for _ in range(500):
                try:
                    socket.bind(self.address)
                    return socket
                except zmq.ZMQError:
                    _sleep(0.005)
        for option, value in self.pattern.options.items():
            setattr(socket, option, value)
        socket.connect(self.address)
        return socket

    def close(self, name: str) -> None:
        """Close a socket in both worlds."""
        if not self._is_called(self.mine[name]):
            # One that has not noticed its connections may or may not say its subscriptions while it is closed.
            self.both(name, lambda socket: bool(socket.getsockopt(zmq.EVENTS) & 0))
            self.settle()
        self.half.discard(name)
        self.mine.pop(name).close()
        with outside():
            self.real.pop(name).close()

    def settle(self, times: int = 1) -> None:
        """Let the background work in both worlds; libzmq needs its sockets to be called for that."""
        for _ in range(times):
            time.sleep(0.1)
            with outside():
                self.fence.pass_through()
                _sleep(SETTLE)
                self.fence.pass_through()
                self._call(self.real)
            self._call(self.mine)

    def _call(self, sockets: dict[str, Any]) -> None:
        for socket in sockets.values():
            if self._is_called(socket):
                socket.getsockopt(zmq.EVENTS)

    def _is_called(self, socket: Any) -> bool:
        return not (self.pattern.silent and socket.type == zmq.SUB)

    def both(self, name: str, call: Any) -> Any:
        """Make a call in both worlds; they must agree. What libzmq is not ready for is tried again for a while."""
        self.counts["calls"] = self.counts.get("calls", 0) + 1
        mine = outcome(lambda: call(self.mine[name]))
        with outside():
            deadline = time.monotonic() + LATE / 1000
            while (real := outcome(lambda: call(self.real[name]))) == AGAIN != mine and time.monotonic() < deadline:
                _sleep(SETTLE)
        assert mine == real, f"{name}: sim {mine}, libzmq {real}"
        return mine

    def one(self, data: st.DataObject, ready: int) -> str:
        """The name of a socket, three times of four of one that is ready, if there is any."""
        names = sorted(self.mine)
        able = [name for name in names if self._is_called(self.mine[name]) and self.mine[name].poll(0, ready)]
        sensible = data.draw(st.integers(0, 3)) > 0
        return data.draw(st.sampled_from(able if able and sensible else names))

    # -- operations ---------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Somebody sends a frame, perhaps with more to follow; mostly one who can."""
        name = self.one(data, zmq.POLLOUT)
        if self.pattern.silent:
            self.settle()  # the last call of a subscriber may have sent its subscriptions: a race with what is sent now
        if "req_relaxed" in self.pattern.options:
            self.settle()  # replies that are there by then are thrown away: a race with those on their way
        more = data.draw(st.booleans()) if data.draw(st.integers(0, 3)) == 0 else False
        self.n += 1
        text = b"%d" % self.n
        if self.subscribes:
            text = data.draw(st.sampled_from([*TOPICS, b"c"])) + text
        flags = NOW | (zmq.SNDMORE if more else 0)
        if name == "server" and self.pattern.server == zmq.ROUTER and name not in self.half:
            to = self.identities.get(data.draw(st.sampled_from([*self.pattern.names, "nobody"])), b"nobody")
            empty = [b""] if self.pattern.clients == zmq.REQ else []
            self.both(name, lambda socket: socket.send_multipart([to, *empty, text], NOW))
            return
        if name != "server" and self.pattern.clients == zmq.DEALER and self.pattern.server == zmq.REP:
            self.both(name, lambda socket: socket.send_multipart([b"", text], NOW))
            return
        if self.both(name, lambda socket: socket.send(text, flags)) == ("ok", None):
            (self.half.add if more else self.half.discard)(name)

    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        """Somebody receives a frame, mostly one who has got something: the same in both worlds, or nothing in both."""
        self.settle()
        name = self.one(data, zmq.POLLIN)
        self._receive(name)

    def _receive(self, name: str) -> None:
        self._agree(name)
        if self.both(name, lambda socket: socket.recv(NOW))[0] == "ok":
            self.counts["received"] = self.counts.get("received", 0) + 1
        self.both(name, lambda socket: socket.getsockopt(zmq.RCVMORE))

    @rule(data=st.data(), sent=st.integers(1, 4))
    def exchange(self, data: st.DataObject, sent: int) -> None:
        """Some send, then everybody receives what there is, frame by frame; perhaps some answer, and so on."""
        for _ in range(2):
            for _ in range(sent):
                self.send(data)
                self.settle()
            for name in sorted(self.mine):
                while self.mine[name].poll(0):
                    self._receive(name)
                self._agree(name)

    def _agree(self, name: str) -> None:
        ready = self.mine[name].poll(0)
        with outside():
            real = self.real[name].poll(LATE if ready else 15)
        assert ready == real, f"{name} readable: sim {ready}, libzmq {real}"

    @precondition(lambda self: self.subscribes)
    @rule(data=st.data(), topic=st.sampled_from(TOPICS), wanted=st.sampled_from([True, True, True, False]))
    def subscribe(self, data: st.DataObject, topic: bytes, wanted: bool) -> None:
        """A subscriber asks for what begins so, or for that no more; once for each time that it asked."""
        names = ["server"] if self.pattern.server == zmq.SUB else self.pattern.names
        name = data.draw(st.sampled_from([name for name in names if name in self.mine] or [""]))
        if name:
            option = zmq.SUBSCRIBE if wanted else zmq.UNSUBSCRIBE
            self.both(name, lambda socket: socket.setsockopt(option, topic))
            self.settle(2)

    @rule(data=st.data())
    def writable(self, data: st.DataObject) -> None:
        """Both agree on who can send."""
        name = data.draw(st.sampled_from(sorted(self.mine)))
        self.settle()
        self.both(name, lambda socket: socket.poll(0, zmq.POLLOUT))

    @precondition(lambda self: "server" in self.mine and len(self.pattern.names) == 1)
    @rule()
    def server_down(self) -> None:
        """The server closes. Not where several clients would race to be the first to reconnect."""
        self.settle()
        self.close("server")
        self.settle(2)

    @precondition(lambda self: "server" not in self.mine)
    @rule()
    def server_up(self) -> None:
        """The server is there again."""
        self.open("server")
        self.settle(4)

    @rule(data=st.data())
    def restart_client(self, data: st.DataObject) -> None:
        """A client closes, another one takes its place."""
        name = data.draw(st.sampled_from(self.pattern.names))
        self.settle()
        self.close(name)
        self.settle(2)
        self.open(name)
        self.settle(3)

    def teardown(self) -> None:
        """Close everything."""
        for name in list(self.mine):
            self.close(name)
        self.stack.close()


def outcome(call: Any) -> tuple[str, Any]:
    """What a call gives, or the name of its error."""
    try:
        return "ok", call()
    except zmq.ZMQError as error:
        return "error", zmq.Errno(error.errno or 0).name


def explore(pattern: Pattern, examples: int, steps: int) -> dict[str, int]:
    """Run that many sequences; AssertionError at the first disagreement, shrunk. Gives how much was done."""
    context: zmq.Context[Any] = zmq.Context()
    counts: dict[str, int] = {}
    names = {"pattern": pattern, "context": context, "counts": counts, "fence": Fence(context)}
    machine = type("Machine", (Both,), names)
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                derandomize=True,
                print_blob=False,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        context.destroy(linger=0)
    return counts


@pytest.mark.parametrize("name", PATTERNS)
def test_a_few_sequences(name: str) -> None:
    """Every pattern agrees with libzmq on a few sequences of operations."""
    counts = explore(PATTERNS[name], examples=4, steps=12)
    assert counts["calls"] >= 10


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PATTERNS)
def test_many_sequences(name: str) -> None:
    """Every pattern agrees with libzmq on many sequences of operations; on more with ``--hypothesis-profile=long``."""
    examples = max(10, settings().max_examples // 10)
    counts = explore(PATTERNS[name], examples=examples, steps=20)
    assert counts["calls"] >= 10 * examples
    assert counts["received"] >= examples // 10
