"""Handlers, the registration server and the registry, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest
import zmq

from schedule_zero import barriers
from schedule_zero.errors import ConfigError, PortTaken, RemoteError
from schedule_zero.handler_registrar import RegistrationTiming
from schedule_zero.handler_registry import HandlerStatus, RegistryManager, ReportedStatus
from schedule_zero.registration_server import RegistrationServer
from schedule_zero.zmq_client import ZMQClient
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = [pytest.mark.integration, pytest.mark.zmq]

FAST = RegistrationTiming(heartbeat=0.1, retry_delay=0.1, slow_delay=0.2)


class Echo(BaseHandler):
    """A handler with one method."""

    def echo(self, value: Any) -> Any:
        """Return what came."""
        return value


class ServerThread:
    """A registration server in an event loop of its own, as the scheduler's server runs it."""

    def __init__(self, registry: RegistryManager, port: int = 0) -> None:
        self.server = RegistrationServer(registry, "127.0.0.1", port, heartbeat=0.1)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        self._loop = self._ready.result(10.0)

    def stop(self) -> None:
        """Stop as the service does."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._end = asyncio.Event()
        async with self.server:
            self._ready.set_result(asyncio.get_running_loop())
            await self._end.wait()


@pytest.fixture
def registry() -> Iterator[RegistryManager]:
    """A registry without a file that forgets handlers quickly."""
    with RegistryManager(heartbeat_timeout=1.0) as made:
        yield made


@pytest.fixture
def server(registry: RegistryManager) -> Iterator[RegistrationServer]:
    """A running registration server."""
    thread = ServerThread(registry)
    yield thread.server
    thread.stop()


@pytest.fixture
def client(server: RegistrationServer) -> Iterator[ZMQClient]:
    """A client of the registration server."""
    with ZMQClient(server.address, timeout=10_000) as made:
        yield made


def test_handler_registers_reports_and_leaves(
    server: RegistrationServer, registry: RegistryManager, until: Any
) -> None:
    """A handler is Connected while it runs, with its real address and methods, and Disconnected after a clean
    stop.
    """
    handler = Echo("h1", 0, server.address, timing=FAST)
    with handler:
        until(lambda: handler.is_registered, what="the registration")
        record = registry.get("h1")
        assert (record.address, record.methods, record.status) == (handler.address, ("echo",), "Connected")
        first_seen = record.last_seen
        until(lambda: registry.get("h1").last_seen != first_seen, what="a heartbeat")
        assert registry.get("h1").registrations == 1
        with registry.borrow("h1") as borrowed:
            assert borrowed.call("echo", {"value": 5}) == 5

    assert registry.get("h1").status is HandlerStatus.DISCONNECTED


def test_a_handler_that_stops_says_so_before_its_calls_have_ended(
    server: RegistrationServer, registry: RegistryManager, until: Any
) -> None:
    """Else the server would go on sending it work, for as long as the longest call takes."""
    begun, gate = threading.Event(), threading.Event()

    class Slow(BaseHandler):
        def slow(self) -> str:
            begun.set()
            assert gate.wait(20)
            return "done"

    answers: list[Any] = []
    handler = Slow("h1", 0, server.address, timing=FAST)
    handler.start()
    until(lambda: handler.is_registered, what="the registration")
    call = threading.Thread(target=lambda: answers.append(ask(handler.address)))
    call.start()
    assert begun.wait(10)
    stop = threading.Thread(target=handler.stop, args=(20.0,))
    stop.start()
    try:
        until(lambda: registry.get("h1").status is HandlerStatus.DISCONNECTED, what="the farewell")
        assert answers == []
    finally:
        gate.set()
        stop.join(20)
        call.join(20)
    assert answers == ["done"]


def ask(address: str) -> Any:
    """What the method `slow` of the handler at that address returns."""
    with ZMQClient(address, timeout=20_000) as client:
        return client.call("slow", {})


def test_handler_started_before_the_server(registry: RegistryManager, until: Any) -> None:
    """A handler that finds no server keeps trying, and is registered soon after the server is there."""
    placeholder = ServerThread(registry)
    port = placeholder.server.port
    placeholder.stop()
    with Echo("h1", 0, f"tcp://127.0.0.1:{port}", timing=FAST) as handler:
        assert not handler.is_registered
        thread = ServerThread(registry, port)
        until(lambda: handler.is_registered, what="the registration", timeout=5.0)
        thread.stop()


def test_handler_registers_again_after_a_server_restart(until: Any) -> None:
    """A server that lost everything knows the handler again within a few heartbeats."""
    with RegistryManager() as old, RegistryManager() as new:
        first = ServerThread(old)
        with Echo("h1", 0, first.server.address, timing=FAST) as handler:
            until(lambda: handler.is_registered, what="the first registration")
            first.stop()
            second = ServerThread(new, first.server.port)
            until(
                lambda: [record.id for record in new.list()] == ["h1"],
                what="the second registration",
                timeout=5.0,
            )
            assert new.get("h1").incarnation == old.get("h1").incarnation
            second.stop()


def test_handler_registers_again_at_a_server_that_remembers_it(until: Any) -> None:
    """A restarted server that knows the handler from its file is another incarnation: it is told everything
    anew.
    """
    with RegistryManager() as old, RegistryManager() as new:
        first = ServerThread(old)
        with Echo("h1", 0, first.server.address, timing=FAST) as handler:
            until(lambda: handler.is_registered, what="the first registration")
            first.stop()
            new.register("h1", handler.address, [], incarnation=handler.incarnation)
            second = ServerThread(new, first.server.port)
            until(lambda: new.get("h1").registrations == 2, what="the second registration", timeout=5.0)
            assert (new.get("h1").methods, new.get("h1").incarnation) == (("echo",), handler.incarnation)
            second.stop()


def test_defect_is_answered_and_survived(client: ZMQClient, server: RegistrationServer) -> None:
    """A request that brings a defect to light gets an error, and the server goes on."""

    def strike(method: str) -> None:
        raise MemoryError("struck")

    end = barriers.listen("registration.request", strike)
    with pytest.raises(RemoteError, match="the registration server failed: MemoryError: struck") as caught:
        client.call("ping")
    end()
    assert caught.value.code == "internal"
    assert server.stats.failures == 1
    assert client.ping()


def test_handler_registers_again_when_forgotten(
    server: RegistrationServer, registry: RegistryManager, until: Any
) -> None:
    """A handler whose record was removed is told so at its heartbeat, and registers again."""
    with Echo("h1", 0, server.address, timing=FAST) as handler:
        until(lambda: handler.is_registered, what="the registration")
        registry.unregister("h1")
        until(lambda: registry.list(), what="the second registration", timeout=5.0)
        assert [(record.id, record.registrations) for record in registry.list()] == [("h1", 1)]


def test_stop_is_bounded_without_a_server(registry: RegistryManager, until: Any) -> None:
    """A handler whose server is gone stops in about half a second: its farewell is not waited for longer."""
    thread = ServerThread(registry)
    handler = Echo("h1", 0, thread.server.address, timing=FAST)
    handler.start()
    until(lambda: handler.is_registered, what="the registration")
    thread.stop()
    assert handler.stop(2.0) is True
    assert not [t.name for t in threading.enumerate() if t.name.startswith("h1-")]


def test_newest_registration_wins(client: ZMQClient, registry: RegistryManager) -> None:
    """A second process with the same id takes over; the first is told, and takes nothing back while the other
    lives.
    """
    client.call("register", {"handler_id": "h", "address": "tcp://127.0.0.1:1", "incarnation": "a"})
    client.call("register", {"handler_id": "h", "address": "tcp://127.0.0.1:2", "incarnation": "b"})
    with pytest.raises(RemoteError) as superseded:
        client.call("report_status", {"handler_id": "h", "incarnation": "a"})
    assert superseded.value.code == "superseded"
    assert registry.get("h").address == "tcp://127.0.0.1:2"

    registry.report_status("h", ReportedStatus.OFFLINE, incarnation="b")
    with pytest.raises(RemoteError) as unknown:
        client.call("report_status", {"handler_id": "h", "incarnation": "a"})
    assert unknown.value.code == "unknown_handler"


def test_answers(client: ZMQClient, server: RegistrationServer) -> None:
    """Each method's answer, to the letter."""
    incarnation = server.incarnation
    register = {
        "handler_id": "h",
        "address": "tcp://127.0.0.1:1",
        "methods": ["m"],
        "incarnation": "a",
        "pid": 1,
    }
    assert client.call("register", register) == {
        "registered": True,
        "heartbeat": 0.1,
        "server_incarnation": incarnation,
    }
    report = {"handler_id": "h", "status": "online", "incarnation": "a"}
    assert client.call("report_status", report) == {"known": True, "server_incarnation": incarnation}
    assert client.call("unregister", {"handler_id": "h"}) == {
        "unregistered": True,
        "server_incarnation": incarnation,
    }
    assert client.ping()


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("register", {}, "bad_params", "missing required field `handler_id`"),
        ("register", {"handler_id": "", "address": "tcp://h:1"}, "bad_params", "length >= 1"),
        (
            "register",
            {"handler_id": "h", "address": "http://h:1"},
            "bad_params",
            ": Expected an address such as tcp://192",
        ),
        ("register", {"handler_id": "h\n1", "address": "tcp://h:1"}, "bad_params", "none of them a control"),
        ("report_status", {"handler_id": "h\x00"}, "bad_params", "Expected a text of 1 to 200 characters, none of"),
        ("unregister", {"handler_id": "h\x7f"}, "bad_params", "unregister: Expected a text of 1 to 200 char"),
        ("register", {"handler_id": "h", "address": "tcp://h:1", "concurrency": 0}, "bad_params", "concurrency"),
        ("register", {"handler_id": "h", "address": "tcp://h:1", "methods": "m"}, "bad_params", "`array`"),
        ("report_status", {"handler_id": "nobody"}, "unknown_handler", "no handler is registered as 'nobody'"),
        ("report_status", {"handler_id": "h", "status": "lazy"}, "bad_params", "Invalid enum value 'lazy'"),
        ("unregister", {"handler_id": "nobody"}, "unknown_handler", "'nobody'"),
        ("drop_tables", {}, "unknown_method", "there are: ping, register, unregister, report_status"),
    ],
)
def test_refusals(client: ZMQClient, method: str, params: dict[str, Any], code: str, message: str) -> None:
    """A request that is understood and wrong gets an error that says which field and why."""
    with pytest.raises(RemoteError, match=message) as caught:
        client.call(method, params)
    assert caught.value.code == code
    assert "regex" not in str(caught.value)


@pytest.mark.parametrize("frames", [[b"", b"\xff"], [b"no delimiter"], [b"", b"a", b"b"], [b"", b'{"method": []}']])
def test_malformed_requests_are_answered_and_survived(
    client: ZMQClient, server: RegistrationServer, frames: list[bytes]
) -> None:
    """Garbage is answered with an error, counted, and the next request is served."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.RCVTIMEO, 10_000)
    dealer.connect(server.address)
    dealer.send_multipart(frames)
    reply = json.loads(dealer.recv_multipart()[-1])
    dealer.close(linger=0)
    context.term()

    assert (reply["success"], reply["code"]) == (False, "malformed")
    assert server.stats.malformed == 1
    assert client.ping()


@pytest.mark.anyio
async def test_port_taken_then_free() -> None:
    """A taken port is a PortTaken; after the other has stopped, the same server starts there."""
    with RegistryManager() as registry:
        async with RegistrationServer(registry) as first:
            second = RegistrationServer(registry, port=first.port)
            with pytest.raises(PortTaken, match=str(first.port)):
                await second.start()
        await second.start()
        assert second.is_running
        await second.stop()
        await second.stop()
        assert not second.is_running


@pytest.mark.anyio
async def test_address_that_is_not_of_this_machine() -> None:
    """An address that cannot be bound here is a configuration error."""
    with RegistryManager() as registry, pytest.raises(ConfigError, match="cannot listen"):
        await RegistrationServer(registry, "192.0.2.1", insecure=True).start()


def test_a_refused_handler_asks_again_and_then_more_slowly(server: RegistrationServer, until: Any) -> None:
    """A refusal is not the end: it asks again after the short delay, after two refusals after the long one."""
    asked: list[float] = []

    def refuse(method: str) -> None:
        if method == "register":
            asked.append(time.monotonic())
            if len(asked) < 4:
                raise RuntimeError("not yet")

    end = barriers.listen("registration.request", refuse)
    timing = RegistrationTiming(heartbeat=0.1, retry_delay=0.05, attempts=2, slow_delay=0.4, jitter=0.0)
    handler = Echo("h", server_address=server.address, timing=timing)
    try:
        handler.start()
        until(lambda: handler.is_registered, what="the handler to be registered")
    finally:
        end()
        handler.stop()

    first, second, third = (later - earlier for earlier, later in pairwise(asked))
    assert 0.05 <= first < 0.4
    assert second >= 0.4
    assert third >= 0.4


def test_a_refused_heartbeat_does_not_end_the_heartbeats(
    server: RegistrationServer, registry: RegistryManager, until: Any
) -> None:
    """A server that refuses heartbeats for a while still finds the handler registered, without another
    registration.
    """
    refused: list[str] = []

    def refuse(method: str) -> None:
        if method == "report_status" and len(refused) < 3:
            refused.append(method)
            raise RuntimeError("busy")

    with Echo("h", server_address=server.address, timing=FAST) as handler:
        until(lambda: handler.is_registered, what="the handler to be registered")
        end = barriers.listen("registration.request", refuse)
        try:
            until(lambda: len(refused) == 3, what="three refused heartbeats")
            heard = registry.get("h").last_seen
            until(lambda: registry.get("h").last_seen != heard, what="a heartbeat after them")
        finally:
            end()
        assert (handler.is_registered, registry.get("h").registrations) == (True, 1)
