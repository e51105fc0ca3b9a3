"""Connections to the registration that say nothing: they give way to those that do."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schedule_zero import registration_server, zmq_crowd
from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.handler_registry import RegistryManager
from schedule_zero.registration_server import RegistrationServer

pytestmark = [pytest.mark.integration, pytest.mark.zmq]

Scene = Callable[[RegistrationServer], Awaitable[None]]
SAID = "more than 8 connections: each new one ends the one that has been silent for the longest time"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Plays a scene with a registration server that has eight places."""
    monkeypatch.setattr(registration_server, "most_peers", lambda: 8)

    def run(scene: Scene) -> None:
        async def main() -> None:
            async with asyncio.timeout(20.0):
                with RegistryManager() as registry:
                    async with RegistrationServer(registry) as server:
                        await scene(server)

        asyncio.run(main())

    return run


async def silent(server: RegistrationServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that says nothing; returns when libzmq has greeted it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readexactly(10)
    return reader, writer


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Whether the server has ended the connection within a moment."""
    done, pending = await asyncio.wait({asyncio.ensure_future(reader.read())}, timeout=0.3)
    for reading in pending:
        reading.cancel()
    return bool(done)


def test_the_longest_silent_gives_way(play: Callable[[Scene], None], caplog: pytest.LogCaptureFixture) -> None:
    """Of twenty connections the last eight stay, but for one that talks: it stays as well. The log tells it once."""

    async def scene(server: RegistrationServer) -> None:
        async with AsyncZMQClient(server.address) as talking:
            await talking.call("register", {"handler_id": "h", "address": "tcp://127.0.0.1:1"})
            callers = []
            for _ in range(20):
                callers.append(await silent(server))
                assert await talking.call("report_status", {"handler_id": "h"})
            over = await asyncio.gather(*(is_over(reader) for reader, _ in callers))
            assert over == [True] * 13 + [False] * 7
            assert server.stats.displaced == 13
            assert await talking.ping()
            for _, writer in callers:
                writer.close()

    play(scene)
    assert [record.getMessage() for record in caplog.records] == [SAID]


def test_places_of_those_who_left_are_free(play: Callable[[Scene], None]) -> None:
    """Thirty callers one after another, each gone before the next comes: nobody is shut down."""

    async def scene(server: RegistrationServer) -> None:
        for _ in range(30):
            _, writer = await silent(server)
            writer.close()
            await writer.wait_closed()
            crowd = server._crowd
            assert crowd is not None
            async with asyncio.timeout(5.0):
                while crowd.open:
                    await asyncio.sleep(0.001)
        assert server.stats.displaced == 0

    play(scene)


def test_who_does_not_greet_is_ended(play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with places to spare, when the time for it is over; a handler of ours greets at once, and stays."""
    monkeypatch.setattr(registration_server, "HANDSHAKE_MS", 200)

    async def scene(server: RegistrationServer) -> None:
        async with AsyncZMQClient(server.address) as talking:
            assert await talking.ping()
            reader, _ = await silent(server)
            async with asyncio.timeout(5.0):
                await reader.read()
            await asyncio.sleep(0.3)  # longer than that time
            assert await talking.ping()
            assert server.stats.displaced == 0

    play(scene)


def test_what_is_no_longer_that_connection_is_left_alone() -> None:
    """A descriptor that was closed meanwhile, or given to another socket or a file, is not shut down."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening, ours, theirs:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller, listening.accept()[0] as accepted:
            zmq_crowd._shut(accepted.fileno(), port + 1)
            zmq_crowd._shut(ours.fileno(), port)
            zmq_crowd._shut(999_999, port)
            accepted.sendall(b"still here")
            ours.sendall(b"here, too")
            assert (caller.recv(20), theirs.recv(20)) == (b"still here", b"here, too")
            zmq_crowd._shut(accepted.fileno(), port)
            assert caller.recv(20) == b""
            assert accepted.fileno() > 0  # not closed: that is its owner's


@pytest.mark.parametrize(("soft", "most"), [(32, 16), (200, 50), (1024, 256), (1_000_000, 2000), (-1, 2000)])
def test_a_quarter_of_the_descriptors(monkeypatch: pytest.MonkeyPatch, soft: int, most: int) -> None:
    """As many places as leave enough for all else, and no more than anybody needs."""
    limit: Any = lambda _: (soft, soft)  # noqa: E731
    monkeypatch.setattr(resource, "getrlimit", limit)
    assert zmq_crowd.most_peers() == most
