"""Stream sockets: one body on the real operating system and in the simulation."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.sim

Pair = tuple[socket.socket, socket.socket]
InThread = Callable[..., threading.Thread]


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest, world: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A client and the server's end of its connection."""
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname(), timeout=10)
    else:
        path = str(tmp_path_factory.mktemp("u") / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(10)
        client.connect(path)
    server, _ = listener.accept()
    server.settimeout(10)
    listener.close()
    yield client, server
    client.close()
    server.close()


def test_bytes_both_ways(pair: Pair) -> None:
    """What one side sends the other receives, in order."""
    client, server = pair
    client.sendall(b"ping")
    assert server.recv(100) == b"ping"
    server.sendall(b"po")
    server.sendall(b"ng")
    assert client.recv(4, socket.MSG_WAITALL) == b"pong"


def test_peek_leaves_what_it_saw(pair: Pair) -> None:
    """MSG_PEEK, recv_into."""
    client, server = pair
    client.sendall(b"abc")
    assert server.recv(2, socket.MSG_PEEK) == b"ab"
    buffer = bytearray(10)
    assert server.recv_into(buffer) == 3
    assert buffer[:3] == b"abc"


def test_the_end_comes_after_the_bytes(pair: Pair) -> None:
    """A close is the end for the other side, when it has read everything."""
    client, server = pair
    client.sendall(b"last")
    client.close()
    assert server.recv(100) == b"last"
    assert server.recv(100) == b""
    assert server.recv(100) == b""


def test_half_close(pair: Pair) -> None:
    """SHUT_WR: the other side reads the end and can still answer; sending is EPIPE."""
    client, server = pair
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b"question"
    assert server.recv(100) == b""
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_closing_with_unread_bytes_resets(pair: Pair) -> None:
    """Who closes without reading what has arrived resets the connection."""
    client, server = pair
    client.sendall(b"never read")
    select.select([server], [], [], 5)
    server.close()
    time.sleep(0.05)
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert client.recv(100) == b""


def test_a_time_out_of_recv(pair: Pair) -> None:
    """TimeoutError after the seconds that were set; the socket goes on working."""
    client, server = pair
    server.settimeout(0.05)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        server.recv(10)
    assert time.monotonic() - begin > 0.0499
    client.sendall(b"late")
    server.settimeout(5)
    assert server.recv(10) == b"late"


def test_non_blocking(pair: Pair) -> None:
    """Nothing there is BlockingIOError; a full connection, too, and room comes when the other side reads."""
    client, server = pair
    server.setblocking(False)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(1)
    sent = 0
    while True:
        try:
            sent += client.send(b"z" * 65_536)
        except BlockingIOError:
            if not select.select([], [client], [], 0.1)[1]:
                break
    assert sent > 100_000
    assert select.select([server], [], [], 5)[0] == [server]
    received = 0
    while received < sent:
        select.select([server], [], [], 5)
        received += len(server.recv(1 << 20))
    assert select.select([], [client], [], 5)[1] == [client]


def test_sendall_waits_for_room(pair: Pair, in_thread: InThread) -> None:
    """More than fits is sent as the other side reads."""
    client, server = pair
    size = 8_000_000
    got = bytearray()

    def read() -> None:
        while len(got) < size:
            got.extend(server.recv(1 << 20))

    thread = in_thread(read)
    client.sendall(b"q" * size)
    thread.join()
    assert len(got) == size


def test_sending_to_a_closed_side(pair: Pair) -> None:
    """It ends in EPIPE or ECONNRESET, at the latest at the second try."""
    client, server = pair
    server.close()
    time.sleep(0.05)
    caught: list[type[OSError]] = []
    for _ in range(3):
        try:
            client.send(b"x")
        except OSError as error:
            caught.append(type(error))
        time.sleep(0.05)
    assert caught[-1] is BrokenPipeError
    assert set(caught) <= {BrokenPipeError, ConnectionResetError}


def test_makefile(pair: Pair) -> None:
    """Buffered lines both ways; the socket stays open until its files are closed."""
    client, server = pair
    with client.makefile("rwb") as stream, server.makefile("r", encoding="utf-8") as lines:
        stream.write(b"one\ntwo\n")
        stream.flush()
        assert lines.readline() == "one\n"
        assert lines.readline() == "two\n"
        server.sendall(b"answer\n")
        client.close()
        assert stream.readline() == b"answer\n"
    assert client.fileno() == -1


def test_poll_masks(pair: Pair) -> None:
    """Masks of an open, a finished and a closed connection."""
    client, server = pair
    poll = select.poll()
    poll.register(server, select.POLLIN | select.POLLOUT)
    assert poll.poll(0) == [(server.fileno(), select.POLLOUT)]
    client.sendall(b"x")
    select.select([server], [], [], 5)
    assert poll.poll(0) == [(server.fileno(), select.POLLIN | select.POLLOUT)]
    server.recv(1)
    client.close()
    select.select([server], [], [], 5)
    [(_, mask)] = poll.poll(0)
    assert mask & select.POLLIN


def test_duplicates_and_detaching(pair: Pair) -> None:
    """A duplicate keeps the connection; a detached number can be adopted."""
    client, server = pair
    copy = client.dup()
    client.close()
    copy.sendall(b"still")
    assert server.recv(10) == b"still"
    again = socket.socket(fileno=copy.detach())
    assert again.family == server.family
    again.sendall(b"there")
    assert server.recv(10) == b"there"
    again.close()
    assert server.recv(10) == b""
