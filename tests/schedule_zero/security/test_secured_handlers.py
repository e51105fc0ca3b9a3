"""Server and handlers under CURVE, over real sockets: who is who, and who is left outside."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.errors import CallTimeout, ConfigError, HandlerUnavailable, RemoteError
from schedule_zero.execution_log import Outcome
from schedule_zero.handler_registrar import RegistrationTiming
from schedule_zero.handler_registry import HandlerStatus, RegistryManager
from schedule_zero.registration_server import RegistrationServer
from schedule_zero.requests import RunNow
from schedule_zero.security.allowed_keys import allow_key, revoke_key
from schedule_zero.security.curve import Curve, HandlerKeys
from schedule_zero.security.key_files import KeyPair, make_pair, read_pair, read_public, write_pair
from schedule_zero.security.server_keys import ServerKeys, handler_keys
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.zmq_client import ZMQClient
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = [pytest.mark.integration, pytest.mark.zmq]

#: Milliseconds in which a call that is let in has long been answered.
SILENCE = 250
TIMING = RegistrationTiming(heartbeat=0.1, retry_delay=0.05, slow_delay=0.05)


class Worker(BaseHandler):
    """The handler of these tests."""

    def echo(self, text: str) -> str:
        """Return the text."""
        return text


@asynccontextmanager
async def secured(folder: Path, heartbeat_timeout: float = 6.0) -> AsyncIterator[tuple[RegistryManager, str]]:
    """A registration server under CURVE; its registry, and where it listens."""
    keys = ServerKeys(folder)
    with RegistryManager(secure=keys, heartbeat_timeout=heartbeat_timeout) as registry:
        async with RegistrationServer(registry, heartbeat=0.1, secure=keys) as server:
            yield registry, server.address


def own(folder: Path, name: str) -> Curve:
    """The keys of a handler as a client of the server."""
    return handler_keys(folder, name).registration


async def asked(address: str, secure: Curve | None, handler_id: str = "h1", port: int = 1) -> str:
    """What comes of a registration: `registered`, the code of a refusal, or `silence`."""
    async with AsyncZMQClient(address, SILENCE, secure=secure) as client:
        try:
            await client.call("register", {"handler_id": handler_id, "address": f"tcp://127.0.0.1:{port}"})
        except RemoteError as error:
            return error.code
        except CallTimeout:
            return "silence"
        return "registered"


@pytest.mark.anyio
async def test_only_known_keys_register_and_only_as_themselves(folder: Path) -> None:
    """A known key is in; another's id, an unknown key, no key, a plain client: each is out."""
    async with secured(folder) as (registry, address):
        stranger = Curve(make_pair(), read_public(folder, "server"))
        assert await asked(address, own(folder, "h1")) == "registered"
        assert await asked(address, own(folder, "h1"), "h2") == "not_admitted"
        assert await asked(address, stranger) == "silence"
        assert await asked(address, None) == "silence"
        assert [record.id for record in registry.list()] == ["h1"]


@pytest.mark.anyio
async def test_strangers_are_counted(folder: Path) -> None:
    """Each connection that was refused for its key is one more in the server's counts, which the metrics tell."""
    async with SchedulerService(ServiceConfig(store="memory", security=SecuritySettings(keys=folder))) as service:
        stranger = Curve(make_pair(), read_public(folder, "server"))
        assert await asked(service.registration_address, stranger) == "silence"
        assert await asked(service.registration_address, own(folder, "h1"), "h2") == "not_admitted"
        counts = service.registration_counts()
    # The client has made a new socket after its time-out, so there may be two.
    assert counts["strangers"] in (1, 2)
    assert (counts["refused"], counts["requests"]) == (1, 1)


@pytest.mark.anyio
async def test_a_revoked_key_is_refused_and_may_be_allowed_again(folder: Path) -> None:
    """Revoking counts for connections that stand, and for new ones; the server is not restarted."""
    async with secured(folder) as (_, address):
        keys = own(folder, "h1")
        public = read_public(folder, "h1")
        async with AsyncZMQClient(address, 10_000, secure=keys) as standing:
            record = {"handler_id": "h1", "address": "tcp://127.0.0.1:1"}
            await standing.call("register", record)
            revoke_key(folder, "h1")
            with pytest.raises(RemoteError, match="may not speak for handler 'h1'"):
                await standing.call("register", record)
        assert await asked(address, keys) == "silence"
        allow_key(folder, "h1", public, ("h1",))
        assert await asked(address, keys) == "registered"


#: The greeting of ZMTP 3.1 (rfc.zeromq.org/spec/37): signature, version, mechanism, role, filler.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 40,
        GREETING.replace(b"CURVE", b"NULL\0"),
        GREETING + b"\x04\x26\x05READY" + bytes(30),
        GREETING + b"\x06" + b"\xff" * 8,
        GREETING + b"\x04\xc8\x05HELLO\x01\x00" + bytes(192),
        GREETING + b"\x04\xfb\x08INITIATE" + bytes(242),
    ],
    ids=["http", "noise", "null", "ready", "endless command", "forged hello", "initiate before hello"],
)
@pytest.mark.anyio
async def test_noise_at_the_door_is_survived(folder: Path, sent: bytes) -> None:
    """What is no handshake, or a wrong one, gets nothing, and the next who is known is served."""
    async with secured(folder) as (registry, address):
        host, port = address.removeprefix("tcp://").split(":")
        stream = await anyio.connect_tcp(host, int(port))
        async with stream:
            await stream.send(sent)
            assert await asked(address, own(folder, "h1")) == "registered"
        assert len(registry.list()) == 1


@pytest.mark.anyio
async def test_the_governor_may_ask_how_the_server_is_and_nothing_else(folder: Path) -> None:
    """The server's own pair opens the door, for a ping."""
    async with secured(folder) as (_, address):
        own_pair = ServerKeys(folder).to_server()
        async with AsyncZMQClient(address, 10_000, secure=own_pair) as client:
            assert await client.ping()
        assert await asked(address, own_pair) == "not_admitted"


def knock(handler: BaseHandler, secure: Curve | None, timeout: int = SILENCE) -> str:
    """What comes of a call: its answer, or `silence`."""
    with ZMQClient(handler.address, timeout, secure=secure) as client:
        try:
            return str(client.call("echo", {"text": "hello"}))
        except CallTimeout:
            return "silence"


def test_a_handler_answers_its_server_alone(folder: Path) -> None:
    """The server is answered; another handler, a stranger and a plain client are not."""
    other = make_pair()
    allow_key(folder, "h2", other.public, ("h2",))
    with Worker("h1", secure=handler_keys(folder, "h1")) as handler:
        mine = read_public(folder, "h1")
        assert knock(handler, Curve(read_pair(folder, "server"), mine), 10_000) == "hello"
        assert knock(handler, Curve(other, mine)) == "silence"
        assert knock(handler, Curve(make_pair(), mine)) == "silence"
        assert knock(handler, None) == "silence"
        assert handler.stats.requests == 1


def test_a_handler_that_is_not_who_it_says_is_not_called(folder: Path) -> None:
    """Whoever listens at the handler's address without its key gets nothing of the call."""
    thief = HandlerKeys(make_pair(), read_public(folder, "server"))
    with Worker("h1", secure=thief) as impostor:
        assert knock(impostor, ServerKeys(folder).to_handler("h1")) == "silence"
        assert impostor.stats.requests == 0


def _two_machines(folder: Path, elsewhere: Path) -> KeyPair:
    """Keys as they lie on a handler's own machine: its pair and the server's public half."""
    pair = make_pair()
    write_pair(elsewhere, "far", pair)
    shutil.copy(folder / "server.pub", elsewhere)
    allow_key(folder, "far", pair.public, ("far",))
    return pair


@pytest.mark.anyio
async def test_a_job_runs_under_curve(folder: Path, tmp_path: Path, until: Callable[..., None]) -> None:
    """From the service to a handler that holds nothing but its own pair, and back."""
    _two_machines(folder, tmp_path / "far")
    config = ServiceConfig(store="memory", security=SecuritySettings(keys=folder), stop_timeout=0.5)
    async with SchedulerService(config) as service:
        handler = Worker(
            "far", server_address=service.registration_address, secure=handler_keys(tmp_path / "far", "far")
        )
        await anyio.to_thread.run_sync(handler.start)
        await anyio.to_thread.run_sync(lambda: until(lambda: handler.is_registered, "the registration"))
        job = await service.run_now(RunNow(handler_id="far", job_method="echo", job_params={"text": "hi"}))
        with anyio.fail_after(20.0):
            while (view := await service.job(job)).outcome is None:
                await anyio.sleep(0.01)
        await anyio.to_thread.run_sync(handler.stop)
    assert (view.outcome, view.result) == (Outcome.SUCCESS, "hi")


def test_a_revoked_key_gets_no_call_over_a_connection_that_stands(folder: Path) -> None:
    """The handler still counts as connected; its connections are closed as soon as somebody wants one. Under another
    key that is allowed for it there is a new connection."""
    with (
        RegistryManager(secure=ServerKeys(folder), client_timeout=5_000) as registry,
        Worker("h1", secure=handler_keys(folder, "h1")) as handler,
    ):
        registry.register("h1", handler.address, ["echo"])
        with registry.borrow("h1") as client:
            assert client.call("echo", {"text": "hi"}) == "hi"
        public = read_public(folder, "h1")
        revoke_key(folder, "h1")

        with pytest.raises(HandlerUnavailable, match="no key that is allowed"), registry.borrow("h1"):
            pass
        assert registry.get("h1").status is HandlerStatus.CONNECTED
        allow_key(folder, "stranger", make_pair().public, ("h1",))
        with pytest.raises(CallTimeout), registry.borrow("h1") as client:
            client.call("echo", {"text": "hi"}, timeout=SILENCE)
        allow_key(folder, "h1", public, ("h1",))
        revoke_key(folder, "stranger")
        with registry.borrow("h1") as client:
            assert client.call("echo", {"text": "hi"}) == "hi"


class OnSlowDisk(ServerKeys):
    """Keys whose file can be made to take long to read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.go = threading.Event(), threading.Event()

    def to_handler(self, handler_id: str) -> Curve:
        """As ever, when the disk answers."""
        known = super().to_handler(handler_id)
        self.asked.set()
        self.go.wait(20.0)
        return known


def test_a_slow_disk_under_the_keys_holds_up_no_other_question(folder: Path) -> None:
    """While keys are read for a call, the registry answers all who do not need them, as the server's loop; and what
    was read for a handler that has registered anew meanwhile is read again.
    """
    keys = OnSlowDisk(folder)
    with RegistryManager(secure=keys) as registry, ThreadPoolExecutor(2) as pool:
        registry.register("h1", "tcp://127.0.0.1:1", ["echo"], incarnation="a")
        lent = pool.submit(registry.client, "h1")
        try:
            assert keys.asked.wait(10.0)
            listed = pool.submit(registry.list).result(5.0)
            assert [(record.id, record.status) for record in listed] == [("h1", HandlerStatus.CONNECTED)]
            registry.register("h1", "tcp://127.0.0.1:2", ["echo"], incarnation="b")
        finally:
            keys.go.set()
        assert lent.result(10.0).address == "tcp://127.0.0.1:2"


@pytest.mark.anyio
async def test_a_revoked_handler_gets_no_more_work(folder: Path, until: Callable[..., None]) -> None:
    """Its heartbeats are refused, so that it counts as gone after the heartbeat time-out."""
    async with secured(folder, heartbeat_timeout=0.4) as (registry, address):
        handler = Worker("h1", 0, address, secure=handler_keys(folder, "h1"), timing=TIMING)
        await anyio.to_thread.run_sync(handler.start)

        def status() -> list[str]:
            return [record.status.value for record in registry.list()]

        await anyio.to_thread.run_sync(lambda: until(lambda: status() == ["Connected"], "a heartbeat"))
        revoke_key(folder, "h1")
        await anyio.to_thread.run_sync(lambda: until(lambda: status() == ["Disconnected"], "the end of heartbeats"))
        assert handler.is_running  # it was shut out, it did not leave
        await anyio.to_thread.run_sync(handler.stop)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_a_handler_refuses_to_listen_beyond_loopback_without_keys(host: str) -> None:
    """Before anything is bound."""
    handler = Worker("h1", host=host)
    with pytest.raises(ConfigError, match="nothing would keep them out"):
        handler.start()
    assert not handler.is_running


@pytest.mark.anyio
async def test_registration_refuses_to_listen_beyond_loopback_without_keys(folder: Path) -> None:
    """And does with keys, or when told to."""
    with RegistryManager() as registry:
        with pytest.raises(ConfigError, match="schedule-zero keys make"):
            await RegistrationServer(registry, "0.0.0.0").start()
        async with RegistrationServer(registry, "0.0.0.0", insecure=True):
            pass
        async with RegistrationServer(registry, "0.0.0.0", secure=ServerKeys(folder)):
            pass


def test_a_handler_listens_beyond_loopback_with_keys(folder: Path) -> None:
    """The refusal is about keys, not about the address."""
    with Worker("h1", host="0.0.0.0", secure=handler_keys(folder, "h1"), advertise="127.0.0.1") as handler:
        assert knock(handler, ServerKeys(folder).to_handler("h1"), 10_000) == "hello"
