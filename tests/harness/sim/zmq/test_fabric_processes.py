"""Processes that die, stop or lose the network, under simulated ZeroMQ; what of a context stays fenced."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from harness.sim.errors import Deadlock, NotSimulated
from harness.sim.world import World

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]


class Server:
    """A process that answers, and is in the world of the test."""

    def __init__(self, sim: Any, name: str = "server") -> None:
        self.sim = sim
        self.kernel = sim.sim.kernel
        self.process = self.kernel.new_process(name)
        self.address = "tcp://127.0.0.1:5555"
        self.kernel.spawn(self.process, "MainThread", self._run)

    def _run(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        socket = context.socket(zmq.REP)
        socket.bind(self.address)
        while True:
            question = socket.recv()
            if question == b"slow":
                time.sleep(60)
            socket.send(b"re " + question)


def ask(req: Any, text: bytes) -> Any:
    """The answer, or the name of the error."""
    try:
        req.send(text)
        return req.recv()
    except zmq.ZMQError as error:
        return zmq.Errno(error.errno or 0).name


def test_peer_of_a_dead_process(sim: Any) -> None:
    """A killed process's sockets vanish: its client is disconnected, and served by the next process at the address."""
    server = Server(sim)
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=500, req_relaxed=1, req_correlate=1)
    monitor = req.get_monitor_socket(int(zmq.EVENT_DISCONNECTED))
    assert ask(req, b"1") == b"re 1"
    server.process.kill()
    assert monitor.poll(1_000)
    assert ask(req, b"2") == "EAGAIN"
    Server(sim, "second")
    time.sleep(0.5)
    assert ask(req, b"3") == b"re 3"


def test_kill_with_the_question_taken(sim: Any) -> None:
    """A question that a killed process had taken is lost for good; the REQ is not told."""
    server = Server(sim)
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=1_000)
    req.send(b"slow")
    time.sleep(0.1)
    server.process.kill()
    Server(sim, "second")
    assert sim.outcome(req.recv) == "EAGAIN"
    assert sim.outcome(lambda: req.send(b"x")) == "EFSM"


def test_paused_process(sim: Any) -> None:
    """A paused process answers when it is resumed; nothing is lost meanwhile."""
    server = Server(sim)
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=500)
    assert ask(req, b"1") == b"re 1"
    server.process.pause()
    assert ask(req, b"2") == "EAGAIN"
    server.process.resume()
    assert req.recv() == b"re 2"


def test_partition_delays_what_is_sent(sim: Any) -> None:
    """During a partition nothing arrives; when it heals everything does."""
    server = Server(sim)
    fabric = sim.sim.fabric
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=500)
    assert ask(req, b"1") == b"re 1"
    fabric.partition("harness", "server")
    assert ask(req, b"2") == "EAGAIN"
    fabric.heal("server", "harness")
    assert req.recv() == b"re 2"


def test_partition_one_way(sim: Any) -> None:
    """Cut one way, the question arrives and the answer does not."""
    server = Server(sim)
    fabric = sim.sim.fabric
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=300)
    assert ask(req, b"1") == b"re 1"
    fabric.partition("server", "harness", one_way=True)
    sent: list[str] = []
    with fabric.rule(lambda message: sent.append(message.pattern)):
        assert ask(req, b"2") == "EAGAIN"
    assert sent == ["REQ", "REP"]
    fabric.heal()
    assert req.recv() == b"re 2"


def test_partition_stalls_connecting(sim: Any) -> None:
    """Through a partition nobody connects; afterwards everybody does."""
    server = Server(sim)
    time.sleep(0.01)
    fabric = sim.sim.fabric
    fabric.partition("*", "server")
    req = sim.connected(zmq.REQ, server.address, rcvtimeo=300)
    assert ask(req, b"1") == "EAGAIN"
    fabric.heal()
    assert req.recv() == b"re 1"


def test_heartbeats_notice_a_partition(sim: Any) -> None:
    """With heartbeats a cut link is noticed after interval and time-out; without, never."""
    server = Server(sim)
    times: dict[int, float | None] = {}
    clients = [sim.socket(zmq.REQ, heartbeat_ivl=ivl, heartbeat_timeout=300) for ivl in (200, 0)]
    monitors = []
    for client in clients:
        monitors.append(client.get_monitor_socket(int(zmq.EVENT_DISCONNECTED)))
        client.connect(server.address)
    time.sleep(1)
    begin = time.monotonic()
    sim.sim.fabric.partition("harness", "server")
    for number, monitor in enumerate(monitors):
        times[number] = time.monotonic() - begin if monitor.poll(5_000) else None
    assert times[0] == pytest.approx(0.5, abs=0.01)
    assert times[1] is None


def test_heartbeats_notice_a_frozen_process(sim: Any) -> None:
    """With heartbeats a frozen peer is left after interval and time-out; it is connected again, and shakes no hands
    before it goes on. Without, nothing is ever told."""
    server = Server(sim)
    clients = [sim.socket(zmq.REQ, heartbeat_ivl=ivl) for ivl in (200, 0)]
    monitors = [client.get_monitor_socket() for client in clients]
    for client in clients:
        client.connect(server.address)
    time.sleep(1)
    server.process.pause()
    time.sleep(2)
    told = [[zmq.Event(recv_monitor_message(m)["event"]).name for _ in range(99) if m.poll(0)] for m in monitors]
    begin = ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]
    assert told == [[*begin, "DISCONNECTED", "CONNECT_RETRIED", "CONNECT_DELAYED", "CONNECTED"], begin]
    server.process.resume()
    time.sleep(0.1)
    assert zmq.Event(recv_monitor_message(monitors[0])["event"]).name == "HANDSHAKE_SUCCEEDED"
    assert [ask(client, b"hi") for client in clients] == [b"re hi", b"re hi"]


def test_nothing_is_left_of_connections(sim: Any) -> None:
    """However two sockets part, one first or both at once, the world forgets their connection."""
    engine = next(base.engine for base in zmq.Socket.__bases__ if hasattr(base, "engine"))
    for order in ((0, 1), (1, 0)):
        for pause in (0.0, 0.1):
            both = sim.pair(zmq.PULL, zmq.PUSH)
            both[1].send(b"x")
            assert len(engine.connections) == 1
            for index in order:
                both[index].close()
                time.sleep(pause)
            time.sleep(0.1)
            assert len(engine.connections) == 0


def test_dead_peer_is_a_deadlock_not_a_tick() -> None:
    """A client that waits for ever for a peer that is gone is reported as a deadlock; reconnecting does not hide it."""

    def wait_for_ever() -> None:
        with World(seed=1), zmq.Context() as context, context.socket(zmq.REQ) as req:
            req.linger = 0
            req.connect("tcp://127.0.0.1:5555")
            req.send(b"is anybody there?")
            req.recv()

    with pytest.raises(Deadlock, match=r"a message on harness:REQ#\d+ \(tcp://127\.0\.0\.1:5555\)"):
        wait_for_ever()


def test_instance_is_per_process(sim: Any) -> None:
    """Context.instance() gives each process a context of its own."""
    seen: dict[str, int] = {}

    def look(name: str) -> None:
        seen[name] = zmq.Context.instance().underlying
        time.sleep(1)
        assert zmq.Context.instance().underlying == seen[name]

    kernel = sim.sim.kernel
    for name in ("one", "two"):
        kernel.spawn(kernel.new_process(name), "MainThread", lambda name=name: look(name))
    mine: Any = zmq.Context.instance()
    time.sleep(2)
    assert zmq.Context.instance() is mine
    assert len({mine.underlying, *seen.values()}) == 3
    mine.term()


@pytest.mark.parametrize(
    "use",
    [
        lambda sim: sim.socket(zmq.REP).setsockopt(zmq.CURVE_SERVER, 1),
        lambda sim: sim.socket(zmq.REP).setsockopt(zmq.ZAP_DOMAIN, b"x"),
        lambda sim: sim.socket(zmq.STREAM),
        lambda sim: zmq.zmq_poll([(0, zmq.POLLIN)], 0),
    ],
    ids=["curve", "zap", "stream", "real-descriptor"],
)
def test_fences(sim: Any, use: Any) -> None:
    """What is not simulated says so, and what to do."""
    with pytest.raises(NotSimulated, match="is not simulated"):
        use(sim)


def history(seed: int) -> tuple[str, list[bytes]]:
    """A little world with many choices: its hash and what was received."""
    got: list[bytes] = []
    with World(seed=seed) as world:
        context: zmq.Context[Any] = zmq.Context()
        pull = context.socket(zmq.PULL)
        port = pull.bind_to_random_port("tcp://127.0.0.1")

        def send(name: int) -> None:
            push = context.socket(zmq.PUSH)
            push.connect(f"tcp://127.0.0.1:{port}")
            for n in range(5):
                push.send(b"%d.%d" % (name, n))
                time.sleep(0.0001)
            push.close()

        threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        got += [pull.recv() for _ in range(20)]
        for thread in threads:
            thread.join()
        pull.close(0)
        context.term()
        return world.trace.digest, got


def test_same_seed_same_history() -> None:
    """A seed gives one history, another seed another one."""
    assert history(5) == history(5)
    assert len({history(seed)[0] for seed in range(4)}) == 4
    assert len({tuple(history(seed)[1]) for seed in range(6)}) > 1
