"""The HTTP server's patience has an end: too many connections, slow senders, heads without end."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application

from harness.sim.world import World
from schedule_zero.http_server import PatientServer, most_connections

REQUEST = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def serving(**options: int) -> Iterator[tuple[PatientServer, int]]:
    """A server without pages in a thread, and its port."""
    made: list[tuple[PatientServer, int]] = []
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    stop = asyncio.Event()

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        server = PatientServer(Application([]), 1 << 20, **options)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        made.append((server, sockets[0].getsockname()[1]))
        ready.set()
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert ready.wait(20.0)
    yield made[0]
    loops[0].call_soon_threadsafe(stop.set)
    thread.join(20.0)
    assert not thread.is_alive()


def answer(connection: socket.socket) -> bytes:
    """What is there to read, or nothing at the end of the connection."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


@pytest.mark.integration
def test_connections_beyond_the_limit_are_closed_and_places_come_free() -> None:
    """Of three connections two are served, one is closed at once; when one has gone another is served."""
    with serving(most=2) as (server, port):
        first, second = (socket.create_connection(("127.0.0.1", port), 20.0) for _ in range(2))
        for connection in (first, second):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 404")
        with socket.create_connection(("127.0.0.1", port), 20.0) as third:
            assert answer(third) == b""
        assert server.refused == 1
        first.close()
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port), 20.0) as fourth:
                fourth.sendall(REQUEST)
                if answer(fourth).startswith(b"HTTP/1.1 404"):
                    break
        else:
            pytest.fail("waited 20 s for the place of a connection that was closed")
        second.close()


@pytest.mark.unit
def test_the_limit_leaves_descriptors_for_all_else() -> None:
    """Half of what the process may have open at most, and never more than two thousand."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= most_connections() <= 2000
    assert soft == resource.RLIM_INFINITY or most_connections() <= max(16, soft // 2)


@pytest.mark.integration
def test_a_head_without_end_is_cut_off() -> None:
    """A request of 64 KiB without an empty line gets no further."""
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), 20.0) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 65536)
        assert answer(connection) == b""


@pytest.mark.sim
@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_slow_senders_are_cut_off(sent: bytes) -> None:
    """A head must be there in 60 s, then a body in 60 s: the connection is closed then, not before and not later."""
    with World(seed=1), serving() as (_, port), socket.create_connection(("127.0.0.1", port), 200.0) as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        assert answer(connection) == b""
        assert abs(time.monotonic() - begun - 60.0) < 1.0
