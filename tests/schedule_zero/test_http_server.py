"""The HTTP server's patience has an end: too many connections, slow senders, heads without end."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from harness.sim.world import World
from schedule_zero.http_crowd import Crowd
from schedule_zero.http_server import PatientServer, most_connections

REQUEST = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Slow(RequestHandler):
    """Answers when the server ends."""

    async def get(self) -> None:
        """Wait."""
        await asyncio.Event().wait()


@contextmanager
def serving(crowd: Crowd | None = None) -> Iterator[tuple[PatientServer, int]]:
    """A server without pages in a thread, and its port."""
    made: list[tuple[PatientServer, int]] = []
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    stop = asyncio.Event()

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        server = PatientServer(Application([("/slow", Slow)]), 1 << 20, crowd)
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
    try:
        yield made[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(20.0)
    assert not thread.is_alive()


def answer(connection: socket.socket) -> bytes:
    """What is there to read, or nothing at the end of the connection."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def connected(port: int, sent: bytes = b"") -> socket.socket:
    """A connection on which something was sent."""
    connection = socket.create_connection(("127.0.0.1", port), 20.0)
    connection.sendall(sent)
    return connection


def answer_now(connection: socket.socket) -> bytes | None:
    """As `answer`, None when the connection is open and silent."""
    connection.settimeout(0.2)
    try:
        return answer(connection)
    except TimeoutError:
        return None


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Look again and again for 20 s."""
    end = time.monotonic() + 20.0
    while not true():
        assert time.monotonic() < end, f"waited 20 s for {what}"
        time.sleep(0.01)


@pytest.mark.integration
def test_connections_beyond_the_limit_are_closed_and_places_come_free() -> None:
    """With three places for this address and all waiting for an answer, a fourth is closed at once; when one has gone
    another is served.
    """
    crowd = Crowd(4)
    with serving(crowd) as (_, port):
        taken = [connected(port, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
        wait_until(lambda: (crowd.open, crowd.idle) == (3, 0), "three requests that are worked at")
        with connected(port) as fourth:
            assert answer(fourth) == b""
        assert (crowd.refused, crowd.displaced) == (1, 0)
        taken.pop().close()
        wait_until(lambda: crowd.open == 2, "the place of a connection that was closed")
        with connected(port, REQUEST) as fifth:
            assert answer(fifth).startswith(b"HTTP/1.1 404")
        for connection in taken:
            connection.close()


@pytest.mark.integration
@pytest.mark.parametrize(
    "sent",
    [b"", REQUEST, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"],
    ids=["nothing", "between requests", "half a body"],
)
def test_the_api_answers_whoever_asks_while_silent_connections_hold_every_place(sent: bytes) -> None:
    """All places are taken by connections that the server waits for: the oldest gives way to each newcomer."""
    crowd = Crowd(4)
    with serving(crowd) as (_, port):
        silent = []
        for number in (1, 2, 3):
            silent.append(connected(port, sent))
            if sent == REQUEST:
                assert answer(silent[-1]).startswith(b"HTTP/1.1 404")
            wait_until(lambda: crowd.idle == number, "a connection that the server waits for")  # noqa: B023
        with connected(port, REQUEST) as newcomer:
            assert answer(newcomer).startswith(b"HTTP/1.1 404")
        assert (crowd.refused, crowd.displaced) == (0, 1)
        ended = [connection for connection in silent if answer_now(connection) == b""]
        assert ended == silent[:1]
        for connection in silent:
            connection.close()


@pytest.mark.unit
def test_the_limit_leaves_descriptors_for_all_else() -> None:
    """Half of what the process may have open at most, and never more than three thousand."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= most_connections() <= 3000
    assert soft == resource.RLIM_INFINITY or most_connections() <= max(16, soft // 2)


@pytest.mark.integration
def test_a_head_without_end_is_cut_off() -> None:
    """A request of 64 KiB without an empty line gets no further."""
    with serving() as (_, port), socket.create_connection(("127.0.0.1", port), 20.0) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 65536)
        assert answer(connection) == b""


@pytest.mark.sim
@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"", 10.0),
        (b"GET / HT", 10.0),
        (REQUEST, 60.0),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{", 60.0),
    ],
    ids=["nothing", "half a head", "one request", "half a body"],
)
def test_slow_senders_are_cut_off(sent: bytes, seconds: float) -> None:
    """A first head must be there in 10 s, its body and the next head in 60 s: not closed before and not later."""
    with World(seed=1), serving() as (_, port), socket.create_connection(("127.0.0.1", port), 200.0) as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        if sent == REQUEST:
            assert answer(connection).startswith(b"HTTP/1.1 404")
        assert answer(connection) == b""
        assert abs(time.monotonic() - begun - seconds) < 1.0
