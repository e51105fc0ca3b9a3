"""What listens on ZeroMQ, and peers that send what they like: every message is answered or dropped, and counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket as plain
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.world import World
from schedule_zero.handler_registry import RegistryManager
from schedule_zero.registration_server import RegistrationServer
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]
MIB = 1024 * 1024


class Server:
    """A registration server in an event loop of its own thread."""

    def __init__(self) -> None:
        self.registry = RegistryManager()
        self.server = RegistrationServer(self.registry)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        self._loop = self._ready.result(10.0)
        self.address = self.server.address

    @property
    def counted(self) -> int:
        """Messages that were found wanting."""
        return self.server.stats.malformed + self.server.stats.refused

    @property
    def stats(self) -> Any:
        """The server's counts."""
        return self.server.stats

    def works(self) -> bool:
        """Whether a handler can still register."""
        with ZMQClient(self.address, timeout=20_000) as client:
            params = {"handler_id": "honest", "address": "tcp://127.0.0.1:1"}
            return bool(client.call("register", params)["registered"])

    def stop(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10.0)
        self.registry.close()

    async def _main(self) -> None:
        self._end = asyncio.Event()
        async with self.server:
            self._ready.set_result(asyncio.get_running_loop())
            await self._end.wait()


class Handler:
    """A handler with the same face."""

    def __init__(self, worker_class: Callable[..., Any]) -> None:
        self.worker = worker_class("w")
        self.worker.start()
        self.address = self.worker.address

    @property
    def counted(self) -> int:
        """Messages that were found wanting."""
        return int(self.worker.stats.malformed + self.worker.stats.refused)

    @property
    def stats(self) -> Any:
        """The handler's counts."""
        return self.worker.stats

    def works(self) -> bool:
        """Whether it can still be called."""
        with ZMQClient(self.address, timeout=20_000) as client:
            return bool(client.call("add", {"a": 1, "b": 2}) == 3)

    def stop(self) -> None:
        """Stop it."""
        self.worker.gate.set()
        self.worker.stop()


Victim = Server | Handler


@contextlib.contextmanager
def started(kind: str, worker_class: Callable[..., Any]) -> Iterator[Victim]:
    """A victim of that kind."""
    victim = Server() if kind == "server" else Handler(worker_class)
    try:
        yield victim
    finally:
        victim.stop()


@contextlib.contextmanager
def dealer(address: str, **options: Any) -> Iterator[zmq.Socket[bytes]]:
    """A bare DEALER, for frames that no client of ours would send."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        for name, value in {"linger": 0, "rcvtimeo": 20_000, "sndhwm": 0, "rcvhwm": 0, **options}.items():
            setattr(socket, name, value)
        socket.connect(address)
        yield socket
    finally:
        context.destroy(linger=0)


@pytest.fixture(params=["server", "handler"])
def kind(request: pytest.FixtureRequest) -> str:
    """Everything below is done to both that listen."""
    return str(request.param)


@pytest.fixture(params=["real", "sim"])
def simulated(request: pytest.FixtureRequest) -> bool:
    """Whether the test runs in the simulated world, or over libzmq."""
    return bool(request.param == "sim")


@pytest.fixture
def victim(simulated: bool, kind: str, worker_class: Callable[..., Any]) -> Iterator[Victim]:
    """One of them, in either world."""
    with World(seed=1) if simulated else contextlib.nullcontext(), started(kind, worker_class) as made:
        yield made


WRONG: dict[str, list[bytes]] = {
    "nothing": [b""],
    "delimiter only": [b"", b""],
    "no delimiter": [b"x"],
    "too many frames": [b"", b"{}", b"{}"],
    "too many hops": [b"h"] * 17 + [b"", b"{}"],
    "hop too long": [b"h" * 256, b"", b'{"method": "ping"}'],
    "no json": [b"", b"\xff\xfe\x00"],
    "no object": [b"", b"[]"],
    "no method": [b"", b"{}"],
    "empty method": [b"", b'{"method": ""}'],
    "method of wrong type": [b"", b'{"method": {"a": []}}'],
    "params of wrong type": [b"", b'{"method": "ping", "params": [1]}'],
    "id of wrong type": [b"", b'{"method": "ping", "request_id": 1}'],
    "id too long": [b"", b'{"method": "ping", "request_id": "%s"}' % (b"r" * 201)],
    "too deep": [b"", b'{"method": "ping", "params": {"a": %s%s}}' % (b"[" * 100, b"]" * 100)],
    "far too deep": [b"", b'{"method": "ping", "params": ' + b"[" * 200_000],
    "half a surrogate": [b"", b'{"method": "\\ud800", "request_id": "\\udfff"}'],
    "a number too large": [b"", b'{"method": "ping", "params": {"a": 1e999999}}'],
    "another method": [b"", b'{"method": "drop_tables", "request_id": "r"}'],
    "a name like a path": [b"", b'{"method": "../../etc/passwd\\u0000", "params": {}}'],
    "the inside": [b"", b'{"method": "_private"}'],
    "the lifecycle": [b"", b'{"method": "stop"}'],
    "nul bytes": [b"", b"\x00" * 1000],
    "two objects": [b"", b'{"method": "ping"}{"method": "ping"}'],
}


def test_every_wrong_message_is_answered_and_counted(victim: Victim) -> None:
    """Each kind of nonsense gets one answer that says what is wrong, without a traceback, and service goes on."""
    with dealer(victim.address) as socket:
        for name, frames in WRONG.items():
            before = victim.counted
            socket.send_multipart(frames)
            reply = json.loads(socket.recv_multipart()[-1])
            assert (name, reply["success"]) == (name, False)
            assert reply["code"] in ("malformed", "unknown_method"), name
            assert "Traceback" not in reply["error"]
            assert len(reply["error"]) < 1000, name
            assert (name, victim.counted) == (name, before + 1)
    assert victim.stats.failures == 0
    assert victim.works()


def test_a_flood_is_survived_and_hardly_logged(
    victim: Victim, simulated: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 3,000 garbage messages each is answered and counted; meanwhile others are served; the log stays short."""
    caplog.set_level(logging.DEBUG, "schedule_zero")
    with dealer(victim.address) as socket:
        for n in range(3000):
            socket.send_multipart([b"", b"garbage %d" % n])
        assert victim.works()
        answers = [json.loads(socket.recv_multipart()[-1]) for _ in range(3000)]
        assert {answer["code"] for answer in answers} == {"malformed"}
    assert victim.stats.malformed == 3000
    about = [record for record in caplog.records if "no request" in record.getMessage()]
    assert 1 <= len(about) <= 3


@pytest.mark.anyio
async def test_a_flood_leaves_the_event_loop_to_others() -> None:
    """While a thousand messages lie there to be taken in, the rest of the loop gets its turn every fifty."""
    with RegistryManager() as registry:
        async with RegistrationServer(registry) as server:
            with dealer(server.address) as socket:
                for n in range(2000):
                    socket.send_multipart([b"", b"garbage %d" % n])
                time.sleep(0.2)  # noqa: ASYNC251 - the loop stands still, so that they pile up  # fmt: skip
                rounds = 0
                while server.stats.requests < 900:
                    await asyncio.sleep(0)
                    rounds += 1
            assert rounds >= 900 / 50


def test_a_peer_that_never_reads(victim: Victim) -> None:
    """Who asks and does not take the answers holds up nobody else."""
    with dealer(victim.address, rcvhwm=1) as socket:
        for n in range(3000):
            socket.send_multipart([b"", b'{"method": "ping", "request_id": "%d", "params": {}}' % n])
        assert victim.works()


def test_oversize_costs_its_sender_the_connection(victim: Victim) -> None:
    """A message above eight MiB is not read to its end; one just below is."""
    with dealer(victim.address) as socket:
        socket.send_multipart([b"", b" " * (8 * MIB + 1)])
        assert victim.works()
    with dealer(victim.address) as socket:
        socket.send_multipart([b"", b'{"method": "ping", "params": {"a": "%s"}}' % (b"x" * (7 * MIB))])
        assert json.loads(socket.recv_multipart()[-1])["success"] is True


def test_a_stolen_identity_is_ignored(victim: Victim) -> None:
    """Who takes the routing id of a connected peer gets none of its answers, and takes nothing from it."""
    with dealer(victim.address, identity=b"twin") as first:
        first.send_multipart([b"", b'{"method": "ping", "request_id": "a"}'])
        assert json.loads(first.recv_multipart()[-1])["request_id"] == "a"
        with dealer(victim.address, identity=b"twin", rcvtimeo=300) as second:
            second.send_multipart([b"", b'{"method": "ping", "request_id": "b"}'])
            with pytest.raises(zmq.Again):
                second.recv_multipart()
        first.send_multipart([b"", b'{"method": "ping", "request_id": "c"}'])
        assert json.loads(first.recv_multipart()[-1])["request_id"] == "c"
    assert victim.works()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["ping", "register", "unregister", "report_status", "add", "constant", "stop", "__class__"])
PARAMS = st.dictionaries(
    st.sampled_from(["handler_id", "address", "methods", "incarnation", "pid", "status", "a", "b", "self"]),
    JSON | st.sampled_from(["h", "tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "online", "offline", ["m"], 2**70]),
    max_size=5,
)
REQUESTS = st.fixed_dictionaries(
    {"method": NAMES | JSON}, optional={"params": PARAMS | JSON, "request_id": st.text(max_size=5) | JSON, "x": JSON}
)
PAYLOADS = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    REQUESTS.map(lambda value: json.dumps(value).encode()),
    st.tuples(REQUESTS, st.integers(0, 200)).map(lambda pair: json.dumps(pair[0]).encode()[: pair[1]]),
)
MESSAGES = st.one_of(
    PAYLOADS.map(lambda payload: [b"", payload]),
    st.lists(st.binary(max_size=8) | PAYLOADS, min_size=1, max_size=5),
)


@pytest.fixture
def real_victim(kind: str, worker_class: Callable[..., Any]) -> Iterator[tuple[Victim, zmq.Socket[bytes]]]:
    """A victim over libzmq with one connection to it, for all examples of a test."""
    with started(kind, worker_class) as victim, dealer(victim.address) as socket:
        yield victim, socket


@settings(max_examples=80, deadline=None)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=8))
def fuzz(pair: tuple[Victim, zmq.Socket[bytes]], messages: list[list[bytes]]) -> None:
    """Send them all, then one that is known: the answers are as many, each of them JSON, and the last is known."""
    victim, socket = pair
    sentinel = f"sentinel-{time.monotonic_ns()}"
    for message in messages:
        socket.send_multipart(message)
    socket.send_multipart([b"", json.dumps({"method": "ping", "request_id": sentinel}).encode()])
    # Workers answer when they are done, and one request id that comes twice is answered twice: hence no order.
    answers = [json.loads(socket.recv_multipart()[-1]) for _ in range(len(messages) + 1)]
    assert all(isinstance(answer["success"], bool) for answer in answers)
    assert all(answer["code"] and "Traceback" not in answer["error"] for answer in answers if not answer["success"])
    assert [answer.get("message") for answer in answers if answer.get("request_id") == sentinel] == ["pong"]
    assert victim.stats.failures == 0


@pytest.mark.slow
def test_any_messages_at_all(real_victim: tuple[Victim, zmq.Socket[bytes]]) -> None:
    """Whatever is sent, each message gets one answer, nothing breaks off, and what was registered can be saved."""
    fuzz(real_victim)
    victim, _ = real_victim
    assert victim.works()


def greeting() -> bytes:
    """The first 64 bytes of a ZMTP 3.0 peer without security."""
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\x00") + bytes(32)


RAW = {
    "silence": b"",
    "one byte": b"\xff",
    "half a greeting": greeting()[:30],
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 40,
    "a greeting and no more": greeting(),
    "a greeting and noise": greeting() + bytes(range(256)) * 40,
    "an old protocol": b"\x01\x00",
    "a frame of 2**62 bytes": greeting()
    + b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
    + b"\x02\x40"
    + bytes(7),
}


def test_raw_bytes_on_the_port(kind: str, worker_class: Callable[..., Any]) -> None:
    """Connections that send nothing, half of something, or anything else, 90 at a time, take nothing from others."""
    with started(kind, worker_class) as victim, contextlib.ExitStack() as stack:
        host, port = victim.address.removeprefix("tcp://").split(":")
        for _ in range(10):
            for content in RAW.values():
                connection = stack.enter_context(plain.create_connection((host, int(port)), 10.0))
                with contextlib.suppress(OSError):  # it may have been thrown out already
                    connection.sendall(content)
        assert victim.works()
        assert victim.stats.malformed == 0


def test_a_message_byte_by_byte(kind: str, worker_class: Callable[..., Any]) -> None:
    """A sender that takes its time is served when it is done, and others are served meanwhile."""
    with started(kind, worker_class) as victim:
        host, port = victim.address.removeprefix("tcp://").split(":")
        with plain.create_connection((host, int(port)), 10.0) as connection:
            connection.setsockopt(plain.IPPROTO_TCP, plain.TCP_NODELAY, 1)

            def dribble(message: bytes, until: bytes) -> None:
                for byte in message:
                    connection.sendall(bytes([byte]))
                assert victim.works()
                while until not in received:
                    part = connection.recv(4096)
                    assert part, f"the connection was closed after {received!r}"
                    received.extend(part)

            received = bytearray()
            ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
            payload = b'{"method": "ping"}'
            dribble(greeting(), b"NULL")
            dribble(bytes([4, len(ready)]) + ready, b"READY")
            dribble(b"\x01\x00" + bytes([0, len(payload)]) + payload, b"pong")
